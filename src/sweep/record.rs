//! A cell of a sweep and what it yields: plain data, as the journal keeps it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{Naming, Sample, Shares, Source};
use crate::{
    attack::labels::LabelMetrics,
    metrics::{Comparison, Score},
    report::{Likeness, Skipped, Verdict, html::Measured},
    statistics::Estimate,
};

/// Weights of a victim that was initialised by seed.
pub const UNTRAINED: &str = "untrained";
/// The defence of a client that has none.
pub const UNDEFENDED: &str = "none";

/// One point of a sweep: all its batches are attacked together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Architecture, with its options.
    pub victim: String,
    /// [`UNTRAINED`], or the file of the weights.
    pub weights: String,
    /// `B`
    pub batch_size: usize,
    /// [`UNDEFENDED`], or what the client applies, in order.
    pub defence: String,
    /// Preset, which generator it has, and in what it differs from other attacks on this victim.
    pub attack: String,
    /// Of batches, untrained weights, class order, noise and starts.
    pub seed: u64,
}

/// `lenet-zhu untrained, B = 4, ig, seed 1`
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Cell { victim, weights, batch_size, defence, attack, seed } = self;
        let training = if weights == UNTRAINED { UNTRAINED } else { "trained" };
        write!(f, "{victim} {training}, B = {batch_size}")?;
        if defence != UNDEFENDED {
            write!(f, ", {defence}")?;
        }
        write!(f, ", {attack}, seed {seed}")
    }
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// What the cell yields.
    pub record: Record,
    /// How long it took.
    pub timing: Timing,
    /// Absent where nothing could be attacked.
    pub sample: Option<Sample>,
}

/// How long a cell took; no two runs agree on it, so it is no part of the results.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Of the whole cell.
    pub seconds: f64,
    /// Of the attack alone: wall time.
    pub milliseconds_per_iteration_and_trial: f64,
}

/// What a cell yields. The same options give the same record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Victim, weights, batch size, defence and seed.
    pub cell: Cell,
    /// Of each attack.
    pub iterations: usize,
    /// Restarts of each attack.
    pub trials: usize,
    /// In order.
    pub batches: Vec<BatchRecord>,
    /// Batches that could not be attacked.
    pub skipped: Vec<Skipped>,
    /// Over the batches.
    pub figures: Figures,
    /// What was read out of the labels; absent where naming was left out, or nothing could be attacked.
    pub naming: Option<Naming>,
    /// Share of the members found at no false alarm, see [`crate::audit::Audit::membership`]; absent where an update has no
    /// span that holds them.
    #[serde(default)]
    pub membership: Option<Measured>,
    /// Absent where nothing could be attacked.
    pub verdict: Option<Verdict>,
    /// Where its blocks were attacked; of several devices, all of them.
    pub device: String,
}

/// A figure under three pairings of reconstructions and originals, see [`Score`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pairings<T> {
    /// By position.
    pub aligned: Option<T>,
    /// By the best one-to-one assignment.
    pub one_to_one: Option<T>,
    /// Each reconstruction with its best original.
    pub best_reference: Option<T>,
}

/// What networks make of reconstructions beside their originals, see [`Likeness`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen<T> {
    /// Absent where its weights were not given.
    pub lpips: Option<T>,
    /// Mean squared difference of the victim's features.
    pub fmse: Option<T>,
    /// Place of the true original among those of all batches, by LPIPS: 1 is the nearest.
    pub rank_lpips: Option<T>,
    /// The same by the victim's features.
    pub rank_features: Option<T>,
}

/// One batch; figures are means over its pictures, absent where they are not finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// Its number: equal numbers of cells of one seed and batch size are equal batches.
    pub batch: usize,
    /// `B`: indices in the data set.
    pub pictures: Vec<usize>,
    /// `B`: class indices, in the seed's order.
    pub true_labels: Vec<usize>,
    /// `B`: as they were found.
    pub labels: Vec<usize>,
    /// Mean cross entropy of the client's step.
    pub client_loss: Option<f64>,
    /// Lowest gradient-matching objective.
    pub objective: Option<f64>,
    /// Share of all K classes whose presence is right (LeAcc).
    pub le_acc: f64,
    /// Share of all K classes whose count is right (LnAcc).
    pub ln_acc: f64,
    /// Share of the batch's labels that were found (IRec).
    pub irec: f64,
    /// In dB.
    pub psnr: Pairings<f64>,
    /// At most 1, for equal pictures.
    pub ssim: Pairings<f64>,
    /// One-to-one, of a flat grey picture and of noise in place of the reconstructions.
    pub psnr_flat_grey: Option<f64>,
    /// SSIM of a flat grey picture.
    pub ssim_flat_grey: Option<f64>,
    /// In dB, of noise.
    pub psnr_noise: Option<f64>,
    /// SSIM of noise.
    pub ssim_noise: Option<f64>,
    /// How like the originals they are to networks, as means; one-to-one.
    pub likeness: Seen<f64>,
    /// Share of its indices named right from this batch alone.
    pub named: BTreeMap<Source, Shares>,
}

/// Over the batches of a cell, with 95 % intervals; absent where a batch's figure is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Mean cross entropy of the clients' steps.
    pub client_loss: Option<Measured>,
    /// Lowest gradient-matching objective.
    pub objective: Option<Measured>,
    /// Share of all K classes whose presence is right (LeAcc).
    pub le_acc: Option<Measured>,
    /// Share of all K classes whose count is right (LnAcc).
    pub ln_acc: Option<Measured>,
    /// Share of the batch's labels that were found (IRec).
    pub irec: Option<Measured>,
    /// In dB.
    pub psnr: Pairings<Measured>,
    /// At most 1, for equal pictures.
    pub ssim: Pairings<Measured>,
    /// In dB, of a flat grey picture in place of every reconstruction.
    pub psnr_flat_grey: Option<Measured>,
    /// SSIM of a flat grey picture.
    pub ssim_flat_grey: Option<Measured>,
    /// In dB, of noise in place of every reconstruction.
    pub psnr_noise: Option<Measured>,
    /// SSIM of noise.
    pub ssim_noise: Option<Measured>,
    /// How like the originals they are to networks; one-to-one.
    pub likeness: Seen<Measured>,
}

/// Mean with its 95 % interval; `None` without values, and where one is not finite. `estimate`: how its interval is made.
fn measure(
    values: impl IntoIterator<Item = Option<f64>>,
    estimate: impl Fn(&[f64]) -> Estimate,
) -> Option<Measured> {
    let finite = |value: Option<f64>| value.filter(|v| v.is_finite());
    let values: Vec<f64> = values.into_iter().map(finite).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| estimate(&values).into())
}

impl From<&Score> for Pairings<f64> {
    fn from(score: &Score) -> Self {
        let finite = |value: f64| Some(value).filter(|v| v.is_finite());
        Pairings {
            aligned: finite(score.aligned),
            one_to_one: finite(score.one_to_one),
            best_reference: finite(score.best_reference),
        }
    }
}

impl BatchRecord {
    /// Takes over how well the pictures were restored, and what pictures that know nothing score.
    pub fn set_pictures(&mut self, found: &Comparison, flat_grey: &Comparison, noise: &Comparison) {
        (self.psnr, self.ssim) = ((&found.psnr).into(), (&found.ssim).into());
        let one_to_one = |score: &Score| Pairings::from(score).one_to_one;
        (self.psnr_flat_grey, self.ssim_flat_grey) =
            (one_to_one(&flat_grey.psnr), one_to_one(&flat_grey.ssim));
        (self.psnr_noise, self.ssim_noise) = (one_to_one(&noise.psnr), one_to_one(&noise.ssim));
    }

    /// Takes over what networks make of the pictures.
    pub fn set_likeness(&mut self, of: &Likeness) {
        let mean =
            |values: &[f64]| Some(values.iter().sum::<f64>() / values.len() as f64).filter(|v| v.is_finite());
        let rank = |ranks: &[usize]| mean(&ranks.iter().map(|&rank| rank as f64).collect::<Vec<_>>());
        self.likeness = Seen {
            lpips: of.lpips.as_deref().and_then(mean),
            fmse: mean(&of.fmse),
            rank_lpips: of.identification_rank.lpips.as_deref().and_then(rank),
            rank_features: rank(&of.identification_rank.features),
        };
    }

    /// Takes the three shares of restored labels over.
    pub fn set_labels(&mut self, metrics: LabelMetrics) {
        (self.le_acc, self.ln_acc, self.irec) = (metrics.le_acc, metrics.ln_acc, metrics.irec);
    }
}

impl Figures {
    /// Means over these batches.
    pub fn of(batches: &[BatchRecord]) -> Figures {
        type Value<'a> = &'a dyn Fn(&BatchRecord) -> Option<f64>;
        let over = |value: Value| measure(batches.iter().map(value), Estimate::of);
        let likeness =
            |value: Value| measure(batches.iter().map(value), |v| Estimate::within(v, Some([-1.0, 1.0])));
        let share = |value: Value| measure(batches.iter().map(value), Estimate::of_shares);
        Figures {
            client_loss: over(&|b| b.client_loss),
            objective: over(&|b| b.objective),
            le_acc: share(&|b| Some(b.le_acc)),
            ln_acc: share(&|b| Some(b.ln_acc)),
            irec: share(&|b| Some(b.irec)),
            psnr: Pairings {
                aligned: over(&|b| b.psnr.aligned),
                one_to_one: over(&|b| b.psnr.one_to_one),
                best_reference: over(&|b| b.psnr.best_reference),
            },
            ssim: Pairings {
                aligned: likeness(&|b| b.ssim.aligned),
                one_to_one: likeness(&|b| b.ssim.one_to_one),
                best_reference: likeness(&|b| b.ssim.best_reference),
            },
            psnr_flat_grey: over(&|b| b.psnr_flat_grey),
            ssim_flat_grey: likeness(&|b| b.ssim_flat_grey),
            psnr_noise: over(&|b| b.psnr_noise),
            ssim_noise: likeness(&|b| b.ssim_noise),
            likeness: Seen {
                lpips: over(&|b| b.likeness.lpips),
                fmse: over(&|b| b.likeness.fmse),
                rank_lpips: over(&|b| b.likeness.rank_lpips),
                rank_features: over(&|b| b.likeness.rank_features),
            },
        }
    }
}
