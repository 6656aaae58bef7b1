//! What the arms of a study of guidance found, as rows.

use std::fmt::{self, Display, Formatter, Write};

use serde::{Deserialize, Serialize};

use super::GuidanceReport;
use crate::{report::Skipped, statistics::Estimate};

/// What pictures are drawn to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Towards {
    /// Nothing: gradient matching alone.
    Nothing,
    /// Each label to the name of its class.
    TrueNames,
    /// Each label to the name of another class: what guidance adds whatever it says.
    OtherNames,
}

impl Towards {
    /// As in files.
    pub fn name(self) -> &'static str {
        match self {
            Towards::Nothing => "nothing",
            Towards::TrueNames => "true-names",
            Towards::OtherNames => "other-names",
        }
    }
}

/// One attack on all batches of a size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// `B`
    pub batch_size: usize,
    /// λ
    pub weight: Option<f64>,
    /// What its pictures are drawn to.
    pub towards: Towards,
}

impl Display for Arm {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let names = match self.towards {
            Towards::Nothing => "no guidance",
            Towards::TrueNames => "true names",
            Towards::OtherNames => "other names",
        };
        write!(f, "B = {}, {names}", self.batch_size)?;
        self.weight.map_or(Ok(()), |weight| write!(f, ", λ = {weight}"))
    }
}

/// What an arm found, a value a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Which attack.
    pub arm: Arm,
    /// In order, without those that were left out.
    pub batches: Vec<OfBatch>,
    /// Batches of which nothing could be read.
    pub skipped: Vec<Skipped>,
}

/// One batch: means over its pictures, paired with the originals one-to-one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OfBatch {
    /// Its number among all.
    pub batch: usize,
    /// One-to-one.
    pub ssim: f64,
    /// In dB.
    pub psnr: f64,
    /// Share of its label indices that the model names right.
    pub named: f64,
    /// Lowest gradient-matching objective.
    pub objective: f64,
}

/// An arm's figures, and how they differ from those of the same batches without guidance.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which attack.
    pub arm: Arm,
    /// Over its batches.
    pub ssim: Estimate,
    /// In dB.
    pub psnr: Estimate,
    /// Share of the label indices that the model names right.
    pub named: Estimate,
    /// Lowest gradient-matching objective.
    pub objective: Estimate,
    /// From the same batches without guidance; absent in that arm itself.
    pub ssim_difference: Option<Estimate>,
    /// In dB, as `ssim_difference`.
    pub psnr_difference: Option<Estimate>,
    /// As `ssim_difference`.
    pub named_difference: Option<Estimate>,
    /// As `ssim_difference`.
    pub objective_difference: Option<Estimate>,
}

/// A row an arm, in their order.
pub(crate) fn rows(arms: &[Arm], measured: &[Measured]) -> Vec<Row> {
    let of = |arm: &Arm| measured.iter().find(|m| m.arm == *arm).map(|m| &m.batches);
    let row = |arm: &Arm| {
        let plain = of(&Arm { weight: None, towards: Towards::Nothing, ..*arm })?;
        let batches = of(arm).filter(|batches| !batches.is_empty())?;
        let values = |value: fn(&OfBatch) -> f64| batches.iter().map(value).collect::<Vec<_>>();
        let mean = |value: fn(&OfBatch) -> f64| Estimate::of(&values(value));
        let difference = |value: fn(&OfBatch) -> f64, range: Option<[f64; 2]>| {
            let pair = |guided: &OfBatch| {
                let plain = plain.iter().find(|plain| plain.batch == guided.batch)?;
                Some(value(guided) - value(plain))
            };
            let pairs: Vec<f64> = batches.iter().filter_map(pair).collect();
            (arm.towards != Towards::Nothing).then(|| Estimate::within(&pairs, range))
        };
        Some(Row {
            arm: *arm,
            ssim: Estimate::within(&values(|b| b.ssim), Some([-1.0, 1.0])),
            psnr: mean(|b| b.psnr),
            named: Estimate::of_shares(&values(|b| b.named)),
            objective: mean(|b| b.objective),
            ssim_difference: difference(|b| b.ssim, Some([-2.0, 2.0])),
            psnr_difference: difference(|b| b.psnr, None),
            named_difference: difference(|b| b.named, Some([-1.0, 1.0])),
            objective_difference: difference(|b| b.objective, None),
        })
    };
    arms.iter().filter_map(row).collect()
}

/// A row a batch.
pub(crate) fn csv(measured: &[Measured]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record([
        "batch_size",
        "towards",
        "weight",
        "batch",
        "ssim",
        "psnr",
        "named",
        "objective",
    ])?;
    for Measured { arm, batches, .. } in measured {
        let weight = arm.weight.map_or(String::new(), |w| w.to_string());
        for b in batches {
            let values = [b.ssim, b.psnr, b.named, b.objective].map(|value| value.to_string());
            let start = [arm.batch_size.to_string(), arm.towards.name().into()];
            let start = start.into_iter().chain([weight.clone(), b.batch.to_string()]);
            writer.write_record(start.chain(values))?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

impl GuidanceReport {
    /// For people.
    pub fn table(&self) -> String {
        let skipped = self
            .skipped
            .iter()
            .map(|(arm, s)| format!("\n{arm}: batch {} is left out: {}", s.batch, s.reason));
        table(&self.rows, self.batches) + &skipped.collect::<String>()
    }
}

fn table(rows: &[Row], batches: usize) -> String {
    let mut text = format!(
        "{batches} batches a row; differences to the same batches without guidance, 95 % intervals\n"
    );
    let _ = writeln!(
        text,
        "{:36}{:>22}{:>26}{:>24}{:>26}{:>10}",
        "", "SSIM", "difference", "named right", "difference", "matching"
    );
    let estimate = |e: &Estimate, sign: bool| {
        let ends = e.interval_95.map_or(String::new(), |[low, high]| match sign {
            true => format!(" [{low:+.3}, {high:+.3}]"),
            false => format!(" [{low:.3}, {high:.3}]"),
        });
        if sign { format!("{:+.3}{ends}", e.mean) } else { format!("{:.3}{ends}", e.mean) }
    };
    for row in rows {
        let difference = |e: &Option<Estimate>| e.as_ref().map_or(String::new(), |e| estimate(e, true));
        let _ = writeln!(
            text,
            "{:36}{:>22}{:>26}{:>24}{:>26}{:>10.4}",
            row.arm.to_string(),
            estimate(&row.ssim, false),
            difference(&row.ssim_difference),
            estimate(&row.named, false),
            difference(&row.named_difference),
            row.objective.mean
        );
    }
    text.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_paired_by_batch() {
        let arm = |towards, weight| Arm { batch_size: 2, weight, towards };
        let all = |ssims: [f64; 7]| -> Vec<OfBatch> {
            let one = |(batch, ssim)| OfBatch { batch, ssim, psnr: 10.0 * ssim, named: 0.5, objective: 0.1 };
            ssims.into_iter().enumerate().map(one).collect()
        };
        let of = |arm, batches| Measured { arm, batches, skipped: vec![] };
        let plain_batches = all([0.1, 0.5, 0.9, 0.2, 0.3, 0.4, 0.7]);
        let plain = arm(Towards::Nothing, None);
        let guided = arm(Towards::TrueNames, Some(0.1));
        // Batches differ a lot, guidance adds 0.01 to each.
        let measured =
            [of(guided, all([0.11, 0.53, 0.91, 0.22, 0.33, 0.42, 0.71])), of(plain, plain_batches.clone())];
        let rows = rows(&[plain, guided, arm(Towards::OtherNames, Some(0.1))], &measured);
        assert_eq!(rows.len(), 2, "an arm that is not measured has no row");
        assert!(rows[0].ssim_difference.is_none());
        let difference = rows[1].ssim_difference.as_ref().unwrap();
        let [low, high] = difference.interval_95.unwrap();
        assert!(0.005 < low && high < 0.04, "{low} {high}");
        let text = table(&rows, 7);
        assert!(text.contains("B = 2, true names, λ = 0.1") && text.contains("+0.019"), "{text}");
        let text = String::from_utf8(csv(&measured).unwrap()).unwrap();
        assert!(text.contains("2,true-names,0.1,0,0.11,1.1,0.5,0.1"), "{text}");
        assert!(text.contains("2,nothing,,2,0.9,"), "{text}");
        // The first batch is left out without guidance: six pairs are left, of the same batches.
        let partial = [measured[0].clone(), of(plain, plain_batches[1..].to_vec())];
        let rows = super::rows(&[plain, guided], &partial);
        let difference = rows[1].ssim_difference.as_ref().unwrap();
        assert!((difference.mean - 0.12 / 6.0).abs() < 1e-9, "{difference}");
        let empty = super::rows(&[plain], &[of(plain, vec![])]);
        assert!(empty.is_empty());
    }
}
