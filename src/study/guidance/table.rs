//! What the arms of a study of guidance found, as rows.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{
    Confirmed, GuidanceReport,
    arms::{Arm, Towards},
};
use crate::{report::Skipped, statistics::Estimate};

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
    /// LPIPS, where its weights are at hand.
    pub lpips: Option<f64>,
    /// Mean squared difference of the victim's features.
    pub fmse: f64,
    /// Share of its label indices that the model names right that pulls.
    pub named: f64,
    /// The same of one that does not.
    pub judged: Option<f64>,
    /// Share that this one calls by the name that guided; absent where none did.
    pub judged_as_told: Option<f64>,
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
    /// LPIPS, where its weights are at hand.
    pub lpips: Option<Estimate>,
    /// Mean squared difference of the victim's features.
    pub fmse: Estimate,
    /// Share of the label indices that the model names right that pulls.
    pub named: Estimate,
    /// The same of one that does not.
    pub judged: Option<Estimate>,
    /// Share that this one calls by the name that guided: where other names are read as readily as true ones, reading is no evidence.
    pub judged_as_told: Option<Estimate>,
    /// Lowest gradient-matching objective.
    pub objective: Estimate,
    /// From the same batches without guidance; absent in that arm itself.
    pub ssim_difference: Option<Estimate>,
    /// In dB, as `ssim_difference`.
    pub psnr_difference: Option<Estimate>,
    /// As `ssim_difference`.
    pub lpips_difference: Option<Estimate>,
    /// As `ssim_difference`.
    pub fmse_difference: Option<Estimate>,
    /// As `ssim_difference`.
    pub named_difference: Option<Estimate>,
    /// As `ssim_difference`.
    pub judged_difference: Option<Estimate>,
    /// As `ssim_difference`.
    pub objective_difference: Option<Estimate>,
}

/// A row an arm, in their order.
pub(crate) fn rows(arms: &[Arm], measured: &[Measured]) -> Vec<Row> {
    let of = |arm: &Arm| measured.iter().find(|m| m.arm == *arm).map(|m| &m.batches);
    let row = |arm: &Arm| {
        let plain = of(&arm.baseline())?;
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
        let some = |value: fn(&OfBatch) -> Option<f64>| {
            let values: Option<Vec<f64>> = batches.iter().map(value).collect();
            values.map(|values| Estimate::of(&values))
        };
        let some_difference = |value: fn(&OfBatch) -> Option<f64>| {
            let pair = |guided: &OfBatch| {
                let plain = plain.iter().find(|plain| plain.batch == guided.batch)?;
                Some(value(guided)? - value(plain)?)
            };
            let pairs: Vec<f64> = batches.iter().filter_map(pair).collect();
            (arm.towards != Towards::Nothing && !pairs.is_empty()).then(|| Estimate::of(&pairs))
        };
        Some(Row {
            arm: *arm,
            lpips: some(|b| b.lpips),
            fmse: mean(|b| b.fmse),
            judged: some(|b| b.judged),
            judged_as_told: some(|b| b.judged_as_told),
            lpips_difference: some_difference(|b| b.lpips),
            fmse_difference: difference(|b| b.fmse, None),
            judged_difference: some_difference(|b| b.judged),
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
        "phase",
        "views",
        "parameterisation",
        "puller",
        "lpips",
        "fmse",
        "judged",
        "judged_as_told",
    ])?;
    for Measured { arm, batches, .. } in measured {
        let weight = arm.weight.map_or(String::new(), |w| w.to_string());
        for b in batches {
            let values = [b.ssim, b.psnr, b.named, b.objective].map(|value| value.to_string());
            let start = [arm.batch_size.to_string(), arm.towards.name().into()];
            let start = start.into_iter().chain([weight.clone(), b.batch.to_string()]);
            let some = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
            let rest = [
                arm.phase.name().to_string(),
                arm.views.map_or(String::new(), |views| views.to_string()),
                arm.parameterisation.to_string(),
                arm.puller.to_string(),
                some(b.lpips),
                b.fmse.to_string(),
                some(b.judged),
                some(b.judged_as_told),
            ];
            writer.write_record(start.chain(values).chain(rest))?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

impl GuidanceReport {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = table(&self.rows, self.batches);
        for (number, model) in self.models.iter().enumerate().filter(|_| self.models.len() > 1) {
            let _ = write!(text, "\nmodel {} is {model}", number + 1);
        }
        let pulled = self.rows.iter().any(|row| row.arm.weight.is_some());
        let judge = match &self.judge {
            Some(judge) if pulled => format!("the model that pulls, and by {judge} as judge"),
            Some(judge) => format!("{judge} as judge, and nothing pulls"),
            None => "the model that pulls, and by nobody else".into(),
        };
        let _ = write!(text, "\nnames read by {judge}");
        for selected in &self.selected {
            let _ = write!(
                text,
                "\nB = {}: true names add most with {} ({:+.4})",
                selected.batch_size, selected.setting, selected.gain
            );
        }
        text += &confirmation(&self.confirmed);
        for row in self.rows.iter().filter(|row| row.arm.phase == super::Phase::Confirmation) {
            if let Some(told) = &row.judged_as_told {
                let share = shown(told, false);
                let _ = write!(
                    text,
                    "\n{}: the judge calls {share} of the indices by the name that guided",
                    row.arm
                );
            }
        }
        for (arm, skipped) in &self.skipped {
            let _ = write!(text, "\n{arm}: batch {} is left out: {}", skipped.batch, skipped.reason);
        }
        for note in &self.notes {
            let _ = write!(text, "\nnote: {note}");
        }
        text
    }
}

fn shown(e: &Estimate, sign: bool) -> String {
    let ends = e.interval_95.map_or(String::new(), |[low, high]| match sign {
        true => format!(" [{low:+.3}, {high:+.3}]"),
        false => format!(" [{low:.3}, {high:.3}]"),
    });
    if sign { format!("{:+.3}{ends}", e.mean) } else { format!("{:.3}{ends}", e.mean) }
}

/// What the selected settings add on new batches.
fn confirmation(confirmed: &[Confirmed]) -> String {
    if confirmed.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n\n{:22}{:>28}{:>9}{:>28}{:>9}{:>28}  on new batches; more is better, p after Holm\n",
        "confirmation", "true names add", "p", "other names add", "p", "over pixels alone"
    );
    for c in confirmed {
        let over = c.over_pixels.as_ref().map_or(String::new(), |e| shown(e, true));
        let _ = writeln!(
            text,
            "{:22}{:>28}{:>9.4}{:>28}{:>9.4}{:>28}{}",
            format!("B = {}, {}", c.batch_size, c.metric),
            shown(&c.true_names, true),
            c.p_true_names,
            shown(&c.other_names, true),
            c.p_other_names,
            over,
            if c.improves { "  improves" } else { "" }
        );
    }
    text.trim_end().into()
}

fn table(rows: &[Row], batches: usize) -> String {
    let mut text = format!(
        "{batches} batches a row; differences to the same batches without guidance, 95 % intervals\n"
    );
    let _ = writeln!(
        text,
        "{:52}{:>22}{:>26}{:>24}{:>26}{:>26}{:>10}",
        "", "SSIM", "difference", "named right", "difference", "by the judge", "matching"
    );
    for row in rows {
        let difference = |e: &Option<Estimate>| e.as_ref().map_or(String::new(), |e| shown(e, true));
        let _ = writeln!(
            text,
            "{:52}{:>22}{:>26}{:>24}{:>26}{:>26}{:>10.4}",
            format!("{}{}", if row.arm.phase == super::Phase::Confirmation { "new: " } else { "" }, row.arm),
            shown(&row.ssim, false),
            difference(&row.ssim_difference),
            shown(&row.named, false),
            difference(&row.named_difference),
            difference(&row.judged_difference),
            row.objective.mean
        );
    }
    text.trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::guidance::{Moved, Phase};

    #[test]
    fn differences_are_paired_by_batch() {
        let arm = |towards, weight| Arm {
            phase: Phase::Selection,
            batch_size: 2,
            weight,
            towards,
            views: None,
            parameterisation: Moved::Pixels,
            puller: 0,
        };
        let all = |ssims: [f64; 7]| -> Vec<OfBatch> {
            let one = |(batch, ssim)| OfBatch {
                batch,
                ssim,
                psnr: 10.0 * ssim,
                lpips: None,
                fmse: 2.0,
                named: 0.5,
                judged: Some(0.25),
                judged_as_told: None,
                objective: 0.1,
            };
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
