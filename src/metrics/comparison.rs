//! The figures of one batch, three pairings each.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{assign, psnr::psnr};

/// MSE, PSNR and SSIM of a batch. Identical pictures have an infinite PSNR: it is `null` in JSON, left out of the means
/// (unless there is nothing else), and counted in `infinite_psnr`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Number of pictures B.
    pub count: usize,
    /// dB. The mean of pictures' finite PSNR, not the PSNR of the mean MSE; infinite where all of them are.
    pub psnr: Score,
    /// In [−1, 1]; `null` for pictures of sides below 11, for which it is not defined.
    pub ssim: Score,
    /// Of pixels in [0, 1].
    pub mse: Score,
    /// `assignment_mse[i]`: index of the reference assigned to reconstruction `i` for the smallest sum of MSE.
    /// It pairs the one-to-one MSE and PSNR.
    pub assignment_mse: Vec<usize>,
    /// `assignment_ssim[i]`: the same for the largest sum of SSIM. It pairs the one-to-one SSIM. The other one, where SSIM
    /// is not defined.
    pub assignment_ssim: Vec<usize>,
    /// Reconstructions that are identical with their reference, under each pairing of the PSNR.
    pub infinite_psnr: Infinite,
    /// Present where a PSNR is infinite, or SSIM not defined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// How many values are infinite under each pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Infinite {
    /// By position.
    pub aligned: usize,
    /// By the best one-to-one assignment.
    pub one_to_one: usize,
    /// Each with its best reference.
    pub best_reference: usize,
}

impl Infinite {
    fn of(values: &PerImage) -> Infinite {
        let count = |values: &[f64]| values.iter().filter(|value| value.is_infinite()).count();
        Infinite {
            aligned: count(&values.aligned),
            one_to_one: count(&values.one_to_one),
            best_reference: count(&values.best_reference),
        }
    }
}

/// One figure under three pairings: means over the batch.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Score {
    /// Reconstruction `i` with reference `i`.
    #[schemars(with = "Option<f64>")]
    pub aligned: f64,
    /// Reconstruction `i` with reference `assignment[i]`.
    #[schemars(with = "Option<f64>")]
    pub one_to_one: f64,
    /// Each reconstruction with the reference it scores best with; a reference may serve several times.
    #[schemars(with = "Option<f64>")]
    pub best_reference: f64,
    /// Value by value.
    pub per_image: PerImage,
}

/// What the means of a [`Score`] are of; index `i` belongs to reconstruction `i`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PerImage {
    /// Reconstruction `i` with reference `i`.
    #[schemars(with = "Vec<Option<f64>>")]
    pub aligned: Vec<f64>,
    /// Reconstruction `i` with reference `assignment[i]`.
    #[schemars(with = "Vec<Option<f64>>")]
    pub one_to_one: Vec<f64>,
    /// Reconstruction `i` with its best reference.
    #[schemars(with = "Vec<Option<f64>>")]
    pub best_reference: Vec<f64>,
}

impl Comparison {
    /// `mse`, `ssim`: `(count, count)`; row: reconstruction, column: reference; `count` above 0. `ssim`: absent where it is
    /// not defined.
    pub(super) fn new(count: usize, mse: &[f64], ssim: Option<&[f64]>) -> Self {
        let assignment_mse = assign::smallest_sum(count, count, mse);
        let mse = PerImage::new(count, mse, &assignment_mse, f64::min);
        let (assignment_ssim, ssim) = match ssim {
            Some(ssim) => {
                let assignment = assign::largest_sum(count, count, ssim);
                let scores = PerImage::new(count, ssim, &assignment, f64::max);
                (assignment, scores)
            }
            None => (assignment_mse.clone(), mse.map(|_| f64::NAN)),
        };
        let is_defined = ssim.aligned.iter().all(|value| !value.is_nan());
        let psnr = mse.map(psnr);
        let infinite_psnr = Infinite::of(&psnr);
        Self {
            count,
            psnr: psnr.into(),
            ssim: ssim.into(),
            mse: mse.into(),
            assignment_mse,
            assignment_ssim,
            infinite_psnr,
            note: match (infinite_psnr.best_reference > 0, is_defined) {
                (true, true) => Some(
                    "PSNR null: infinite, reconstruction and reference are identical; the mean is of the others",
                ),
                (false, false) => Some("SSIM null: not defined for sides below 11 pixels"),
                (true, false) => Some(
                    "PSNR null: infinite, reconstruction and reference are identical; the mean is of the others; SSIM \
                     null: not defined for sides below 11 pixels",
                ),
                (false, true) => None,
            },
        }
    }
}

impl PerImage {
    fn new(count: usize, scores: &[f64], assignment: &[usize], better: fn(f64, f64) -> f64) -> Self {
        let rows = || scores.chunks_exact(count);
        Self {
            aligned: rows().enumerate().map(|(index, row)| row[index]).collect(),
            one_to_one: rows().zip(assignment).map(|(row, &column)| row[column]).collect(),
            best_reference: rows().map(|row| row.iter().copied().fold(row[0], better)).collect(),
        }
    }

    fn map(&self, score: fn(f64) -> f64) -> Self {
        let map = |values: &[f64]| values.iter().copied().map(score).collect();
        Self {
            aligned: map(&self.aligned),
            one_to_one: map(&self.one_to_one),
            best_reference: map(&self.best_reference),
        }
    }
}

impl From<PerImage> for Score {
    fn from(per_image: PerImage) -> Self {
        let mean = |values: &[f64]| {
            let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            let values = if finite.is_empty() { values } else { &finite };
            values.iter().sum::<f64>() / values.len() as f64
        };
        Self {
            aligned: mean(&per_image.aligned),
            one_to_one: mean(&per_image.one_to_one),
            best_reference: mean(&per_image.best_reference),
            per_image,
        }
    }
}

/// A table of the means, one figure a line.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10}{:>12}{:>12}{:>16}", "", "aligned", "one-to-one", "best reference")?;
        for (name, score, decimals) in
            [("PSNR (dB)", &self.psnr, 2), ("SSIM", &self.ssim, 4), ("MSE", &self.mse, 6)]
        {
            let Score { aligned, one_to_one, best_reference, .. } = score;
            if aligned.is_nan() {
                write!(f, "\n{name:<10}{:>40}", "not defined for sides below 11 pixels")?;
                continue;
            }
            write!(f, "\n{name:<10}{aligned:>12.decimals$}{one_to_one:>12.decimals$}")?;
            write!(f, "{best_reference:>16.decimals$}")?;
        }
        let Infinite { aligned, one_to_one, best_reference } = self.infinite_psnr;
        if best_reference > 0 {
            write!(f, "\n{:<10}{aligned:>12}{one_to_one:>12}{best_reference:>16}", "identical")?;
        }
        Ok(())
    }
}
