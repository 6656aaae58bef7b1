//! A setting is chosen on some batches, and what it adds is said of others.

use serde::Serialize;

use super::{
    arms::{Arm, Phase, Setting, Towards},
    table::{Measured, OfBatch},
};
use crate::{
    spelling::choices,
    statistics::{Estimate, holm, paired_p_value},
};

choices! {
    /// What guidance may improve.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Metric {
        /// Likeness to the originals, SSIM
        Ssim = "ssim",
        /// Distance from the originals as a network sees it, LPIPS
        Lpips = "lpips",
        /// Distance of the victim's features, FMSE
        Fmse = "fmse",
        /// Share of the indices that a model names right which did not pull
        Judge = "judge",
    }
}

impl Metric {
    /// Its value of a batch, turned so that more is better.
    pub(super) fn of(self, batch: &OfBatch) -> Option<f64> {
        match self {
            Metric::Ssim => Some(batch.ssim),
            Metric::Lpips => batch.lpips.map(|value| -value),
            Metric::Fmse => Some(-batch.fmse),
            Metric::Judge => batch.judged,
        }
    }
}

/// The setting of one batch size under which true names added most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Selected {
    /// `B`
    pub batch_size: usize,
    /// How names pull.
    pub setting: Setting,
    /// What they added, more being better, over no guidance in the same parameterisation.
    pub gain: f64,
}

/// What the chosen setting adds to one metric at one batch size, on new batches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Confirmed {
    /// `B`
    pub batch_size: usize,
    /// What is measured. Differences are turned so that more is better.
    pub metric: Metric,
    /// True names over nothing, the same parameterisation, batch by batch.
    pub true_names: Estimate,
    /// One-sided, of that; after Holm over all metrics and batch sizes.
    pub p_true_names: f64,
    /// Other names over nothing.
    pub other_names: Estimate,
    /// One-sided, of that; after Holm in the same way.
    pub p_other_names: f64,
    /// True names over attacks by pixels without guidance, where the setting is another parameterisation.
    pub over_pixels: Option<Estimate>,
    /// One-sided, that the judge reads true names that pull more often than other names that pull: what is drawn is read, true or
    /// not. Absent for metrics of pictures.
    pub p_read_more: Option<f64>,
    /// True names improve it and other names do not, at 5 %; the judge must also read them more often than other names.
    pub improves: bool,
}

/// Of every size the setting whose true names add most to a metric.
pub(super) fn selected(sizes: &[usize], metric: Metric, measured: &[Measured]) -> Vec<Selected> {
    let of_size = |&batch_size: &usize| {
        let own = measured.iter().filter(|m| {
            let Arm { phase, towards, batch_size: size, .. } = m.arm;
            (phase, towards, size) == (Phase::Selection, Towards::TrueNames, batch_size)
        });
        let gained = own.filter_map(|m| {
            let pairs = pairs(m, of_arm(measured, m.arm.baseline())?, metric);
            let gain = pairs.iter().map(|(a, b)| a - b).sum::<f64>() / pairs.len() as f64;
            Some(Selected { batch_size, setting: m.arm.setting()?, gain }).filter(|s| s.gain.is_finite())
        });
        gained.max_by(|a, b| a.gain.total_cmp(&b.gain))
    };
    sizes.iter().filter_map(of_size).collect()
}

/// What the selected settings add on new batches.
pub(super) fn confirmed(selected: &[Selected], measured: &[Measured]) -> Vec<Confirmed> {
    let mut all = vec![];
    for &Selected { batch_size, setting, .. } in selected {
        let arm = |towards| Arm::guided(Phase::Confirmation, batch_size, towards, setting);
        let [Some(of_true), Some(others)] =
            [Towards::TrueNames, Towards::OtherNames].map(|towards| of_arm(measured, arm(towards)))
        else {
            continue;
        };
        let Some(plain) = of_arm(measured, of_true.arm.baseline()) else { continue };
        let by_pixels = Arm { parameterisation: super::Moved::Pixels, ..plain.arm };
        let by_pixels = of_arm(measured, by_pixels).filter(|pixels| pixels.arm != plain.arm);
        for metric in Metric::ALL {
            let [of_true_names, of_others] = [of_true, others].map(|m| pairs(m, plain, metric));
            if of_true_names.is_empty() {
                continue;
            }
            let told = |batch: &OfBatch| batch.judged_as_told;
            let read_more = paired(of_true, others, told);
            let difference =
                |pairs: &[(f64, f64)]| Estimate::of(&pairs.iter().map(|(a, b)| a - b).collect::<Vec<f64>>());
            all.push(Confirmed {
                batch_size,
                metric,
                true_names: difference(&of_true_names),
                p_true_names: paired_p_value(&of_true_names),
                other_names: difference(&of_others),
                p_other_names: paired_p_value(&of_others),
                over_pixels: by_pixels.map(|pixels| difference(&pairs(of_true, pixels, metric))),
                p_read_more: (metric == Metric::Judge).then(|| paired_p_value(&read_more)),
                improves: false,
            });
        }
    }
    let corrected = |p: fn(&Confirmed) -> f64| holm(&all.iter().map(p).collect::<Vec<f64>>());
    let (of_true, of_others) = (corrected(|c| c.p_true_names), corrected(|c| c.p_other_names));
    for ((confirmed, p_true), p_other) in all.iter_mut().zip(of_true).zip(of_others) {
        (confirmed.p_true_names, confirmed.p_other_names) = (p_true, p_other);
        let is_read_more = confirmed.p_read_more.is_none_or(|p| p <= 0.05);
        confirmed.improves = p_true <= 0.05 && p_other > 0.05 && is_read_more;
    }
    all
}

fn of_arm(measured: &[Measured], arm: Arm) -> Option<&Measured> {
    measured.iter().find(|m| m.arm == arm)
}

/// A metric of the same batches under two arms.
fn pairs(guided: &Measured, plain: &Measured, metric: Metric) -> Vec<(f64, f64)> {
    paired(guided, plain, |batch| metric.of(batch))
}

/// A value of the same batches under two arms.
fn paired(one: &Measured, other: &Measured, value: impl Fn(&OfBatch) -> Option<f64>) -> Vec<(f64, f64)> {
    let pair = |batch: &OfBatch| {
        let other = other.batches.iter().find(|other| other.batch == batch.batch)?;
        Some((value(batch)?, value(other)?))
    };
    one.batches.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::guidance::Moved;

    fn measured(arm: Arm, ssim: impl Fn(usize) -> f64, fmse: f64) -> Measured {
        let batch = |batch| OfBatch {
            batch,
            ssim: ssim(batch),
            psnr: 10.0,
            lpips: None,
            fmse: fmse + batch as f64,
            named: 0.5,
            judged: None,
            judged_as_told: None,
            objective: 0.1,
        };
        Measured { arm, batches: (0..12).map(batch).collect(), skipped: vec![] }
    }

    #[test]
    fn the_setting_that_adds_most_is_confirmed_where_other_names_add_nothing() {
        let setting = |weight| Setting {
            weight: Some(weight),
            views: Some(8),
            parameterisation: Moved::Pyramid,
            puller: 0,
        };
        let noise = |batch: usize| 0.01 * (batch * 7 % 5) as f64;
        let arm = |phase, towards, weight| Arm::guided(phase, 4, towards, setting(weight));
        let plain = |phase| Arm::plain(phase, 4, Moved::Pyramid);
        let (s, c) = (Phase::Selection, Phase::Confirmation);
        let all = vec![
            measured(plain(s), |b| 0.3 + noise(b), 5.0),
            measured(arm(s, Towards::TrueNames, 0.1), |b| 0.31 + noise(b), 5.0),
            measured(arm(s, Towards::TrueNames, 1.0), |b| 0.36 + noise(b), 5.0),
            measured(plain(c), |b| 0.3 + noise(b), 5.0),
            measured(Arm::plain(c, 4, Moved::Pixels), |b| 0.34 + noise(b), 5.0),
            measured(arm(c, Towards::TrueNames, 1.0), |b| 0.35 + noise(b + 1), 4.0),
            measured(arm(c, Towards::OtherNames, 1.0), |b| 0.29 + noise(b), 4.0),
        ];
        let chosen = selected(&[4], Metric::Ssim, &all);
        assert_eq!((chosen.len(), chosen[0].setting), (1, setting(1.0)));
        let found = confirmed(&chosen, &all);
        let metrics: Vec<Metric> = found.iter().map(|c| c.metric).collect();
        assert_eq!(metrics, [Metric::Ssim, Metric::Fmse], "what was not measured is not confirmed");
        assert!(
            found[0].improves && found[0].p_true_names < 0.01 && found[0].p_other_names > 0.5,
            "{found:?}"
        );
        assert!((found[0].true_names.mean - 0.05).abs() < 0.01);
        assert!((found[0].over_pixels.unwrap().mean - 0.01).abs() < 0.01);
        // Read by the judge far more often than without a pull, and other names that pull just as often.
        let judged = |share: f64, told: Option<f64>, all: &[Measured]| -> Vec<Measured> {
            let of = |measured: &Measured| {
                let own = match measured.arm.towards {
                    Towards::TrueNames => (0.9, Some(0.9)),
                    Towards::OtherNames => (0.0, told),
                    Towards::Nothing => (share, None),
                };
                let batch = |b: &OfBatch| {
                    let shift = 0.01 * (b.batch * 3 % 4) as f64;
                    let [judged, judged_as_told] =
                        [Some(own.0 + shift), own.1.map(|told| told + noise(b.batch))];
                    OfBatch { judged, judged_as_told, ..*b }
                };
                Measured { batches: measured.batches.iter().map(batch).collect(), ..measured.clone() }
            };
            all.iter().map(of).collect()
        };
        let by_judge = |told| {
            let found = confirmed(&chosen, &judged(0.2, Some(told), &all));
            found.into_iter().find(|c| c.metric == Metric::Judge).unwrap()
        };
        assert!(by_judge(0.5).improves && !by_judge(0.9).improves);
        assert!(by_judge(0.9).p_true_names < 0.01, "the gain over nothing is there all the same");
        // Less distance with both: other names do as well.
        assert!(!found[1].improves && found[1].p_other_names < 0.05 && found[1].true_names.mean > 0.9);
    }
}
