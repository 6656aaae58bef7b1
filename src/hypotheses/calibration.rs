//! What a lead is worth. Some names fit everything: how well a name, or a pair of names, does on gradients that have nothing to
//! do with it is taken off its loss. How large the best lead becomes by chance alone is measured on the same gradients, so that
//! a claim has a rate of false positives; and how often a lead is right is measured on gradients whose names are among those that
//! are tried, so that a posterior means what it says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Names,
    comparison::Unit,
    effects::{Effects, Scale},
};
use crate::statistics::share_interval_95;

/// Rate of false positives of a claim.
pub const FALSE_POSITIVES: f64 = 0.05;
/// Groups of gradients, each of which is scored by what the others say.
const FOLDS: usize = 5;
/// Weights of scores and of names' similarity that are tried, from 0 on.
const WEIGHTS: usize = 60;

/// The hypotheses about one gradient, and what each came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Of each: places of its names among all names.
    pub names: Vec<Names>,
    /// Of each; less is better.
    pub losses: Vec<f64>,
    /// Of each: logarithm of what naming without guidance gives it; 0 where nothing was named.
    pub similarity: Vec<f64>,
    /// The true one, if it is among them.
    pub truth: Option<usize>,
}

/// What was learned from gradients whose names are known.
#[derive(Clone, Debug)]
pub struct Calibration {
    unit: Unit,
    effects: Effects,
    /// Of the best score of each unrelated gradient, rising.
    leads: Vec<f64>,
    /// What was learned, for reports.
    pub record: CalibrationRecord,
}

/// How calibration came about, and what it claims.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibrationRecord {
    /// Where its pictures come from.
    pub source: String,
    /// Gradients none of whose names were tried.
    pub unrelated: usize,
    /// Gradients whose names were among those tried.
    pub related: usize,
    /// The rate of false positives that a claim states.
    pub false_positive_rate: f64,
    /// Score from which on a hypothesis is claimed; absent where there are too few gradients for that rate.
    pub threshold: Option<f64>,
    /// Rate on the half of the unrelated gradients by which the threshold was not set, in turn for both halves.
    pub observed_rate: Option<f64>,
    /// Of that rate.
    pub observed_interval_95: Option<[f64; 2]>,
    /// What scores are multiplied by before they become a posterior.
    pub sharpness: f64,
    /// What the logarithm of naming without guidance is multiplied by where both are taken together, and the scores then.
    pub with_naming: [f64; 2],
    /// How much lower each name's losses are on gradients that have nothing to do with it, in their units.
    pub names: BTreeMap<String, f64>,
}

impl Calibration {
    /// From gradients none of whose names are tried, and from some whose names are. `all`: every name. `None` without either.
    pub(super) fn learn(
        unit: Unit,
        source: &str,
        unrelated: &[Scored],
        related: &[Scored],
        all: &[String],
    ) -> Option<Calibration> {
        if unrelated.len() < 2 || related.is_empty() {
            return None;
        }
        let effects = Effects::of(unit, unrelated.iter(), all.len());
        // What a gradient's own losses have a part in would look better than it is.
        let folds = FOLDS.min(unrelated.len());
        let mut leads = vec![0.0; unrelated.len()];
        for fold in 0..folds {
            let others = unrelated.iter().enumerate().filter(|(i, _)| i % folds != fold).map(|(_, s)| s);
            let effects = Effects::of(unit, others, all.len());
            for (i, scored) in unrelated.iter().enumerate().filter(|(i, _)| i % folds == fold) {
                leads[i] = best(&effects.scores(unit, scored));
            }
        }
        let observed = observed(&leads);
        leads.sort_by(f64::total_cmp);
        let of_related: Vec<(Vec<f64>, &Scored)> =
            related.iter().map(|scored| (effects.scores(unit, scored), scored)).collect();
        let weight = |i: usize| if i == 0 { 0.0 } else { 10f64.powf(-2.0 + 4.0 * i as f64 / WEIGHTS as f64) };
        let weights: Vec<f64> = (0..=WEIGHTS).map(weight).collect();
        let alone = likeliest(&of_related, &weights, &[0.0]);
        // Where nothing was named, naming counts as it says.
        let is_named = |scored: &Scored| scored.similarity.iter().any(|own| *own != scored.similarity[0]);
        let both = match related.iter().any(is_named) {
            true => likeliest(&of_related, &weights, &weights),
            false => [alone[0], 1.0],
        };
        let names = all.iter().cloned().zip(effects.names.iter().map(|effect| -effect));
        let threshold = threshold(&leads);
        let record = CalibrationRecord {
            source: source.into(),
            unrelated: unrelated.len(),
            related: related.len(),
            false_positive_rate: FALSE_POSITIVES,
            threshold,
            observed_rate: observed.map(|(rate, _)| rate),
            observed_interval_95: observed.map(|(_, interval)| interval),
            sharpness: alone[0],
            with_naming: [both[1], both[0]],
            names: names.collect(),
        };
        Some(Calibration { unit, effects, leads, record })
    }

    /// Of each hypothesis: how far its loss is below what its names come to without reason, in deviations.
    pub fn scores(&self, scored: &Scored) -> Vec<f64> {
        self.effects.scores(self.unit, scored)
    }

    /// Losses `(H,R)` of restarts, with what their names come to without reason taken off: less is better.
    pub(super) fn adjusted(&self, scored: &Scored, losses: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let scale = Scale::of(self.unit, scored);
        let one = |(names, restarts): (&Names, &Vec<f64>)| {
            let usual = self.effects.usual(names);
            restarts.iter().map(|&loss| (scale.scaled(loss) - usual) / self.effects.spread).collect()
        };
        scored.names.iter().zip(losses).map(one).collect()
    }

    /// How often a gradient that has nothing to do with the names tried has a lead as large as the best one's.
    pub fn p_value(&self, scored: &Scored) -> f64 {
        let lead = best(&self.scores(scored));
        let as_large = self.leads.iter().filter(|other| **other >= lead).count();
        (as_large + 1) as f64 / (self.leads.len() + 1) as f64
    }

    /// Of each hypothesis, given that one of them is true; they sum to 1.
    pub fn posterior(&self, scored: &Scored) -> Vec<f64> {
        posterior(&self.scores(scored), &scored.similarity, [self.record.sharpness, 0.0])
    }

    /// The same with what naming without guidance says.
    pub fn with_naming(&self, scored: &Scored) -> Vec<f64> {
        let [naming, scores] = self.record.with_naming;
        posterior(&self.scores(scored), &scored.similarity, [scores, naming])
    }
}

fn best(scores: &[f64]) -> f64 {
    scores.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The lead that so few unrelated gradients reach that the rate of false positives is kept; `leads`: rising.
fn threshold(leads: &[f64]) -> Option<f64> {
    // The least lead whose p-value, with itself counted, is within the rate.
    let above = ((leads.len() + 1) as f64 * FALSE_POSITIVES).floor() as usize;
    let at = leads.len().checked_sub(above)?;
    (above > 0).then(|| leads[at])
}

/// How often one half's leads are above the threshold that the other half sets.
fn observed(leads: &[f64]) -> Option<(f64, [f64; 2])> {
    let (mut false_positives, mut of) = (0, 0);
    for half in 0..2 {
        let mut own: Vec<f64> = leads.iter().copied().skip(half).step_by(2).collect();
        own.sort_by(f64::total_cmp);
        let threshold = threshold(&own)?;
        let others = leads.iter().skip(1 - half).step_by(2);
        false_positives += others.clone().filter(|lead| **lead > threshold).count();
        of += others.count();
    }
    Some((false_positives as f64 / of as f64, share_interval_95(false_positives, of)))
}

/// Softmax of the weighted sum.
fn posterior(scores: &[f64], similarity: &[f64], [of_scores, of_similarity]: [f64; 2]) -> Vec<f64> {
    let logits: Vec<f64> =
        scores.iter().zip(similarity).map(|(s, p)| of_scores * s + of_similarity * p).collect();
    let largest = best(&logits);
    let weights: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The weights of scores and similarity under which the true hypotheses are most probable.
fn likeliest(related: &[(Vec<f64>, &Scored)], of_scores: &[f64], of_similarity: &[f64]) -> [f64; 2] {
    let likelihood = |weights: [f64; 2]| -> f64 {
        let of = |(scores, scored): &(Vec<f64>, &Scored)| {
            let truth = scored.truth?;
            Some(posterior(scores, &scored.similarity, weights)[truth].max(f64::MIN_POSITIVE).ln())
        };
        related.iter().filter_map(of).sum()
    };
    let mut found = ([0.0, 0.0], f64::NEG_INFINITY);
    for &scores in of_scores {
        for &similarity in of_similarity {
            let value = likelihood([scores, similarity]);
            if value > found.1 {
                found = ([scores, similarity], value);
            }
        }
    }
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hypotheses::enumerate::all, random};

    const NAMES: usize = 6;

    /// Hypotheses about a gradient, two of four names. Losses are normal; name 0 fits everything, and the truth is lower.
    fn scored(seed: u64, related: bool) -> Scored {
        let mut generator = random::generator(seed, "calibration");
        let candidates: Vec<usize> = (0..4).map(|i| (i + seed as usize) % NAMES).collect();
        let names: Vec<Names> =
            all(2, 4, true).iter().map(|h| vec![candidates[h[0]], candidates[h[1]]]).collect();
        let noise = random::normal(&mut generator, names.len());
        let level = f64::from(random::normal(&mut generator, 1)[0]);
        let truth = seed as usize % names.len();
        let loss = |(i, names): (usize, &Names)| {
            let fits = if names.contains(&0) { 3.0 } else { 0.0 };
            let true_one = if related && i == truth { 2.5 } else { 0.0 };
            10.0 * level + f64::from(noise[i]) - fits - true_one
        };
        let losses = names.iter().enumerate().map(loss).collect();
        let similarity = vec![0.0; names.len()];
        Scored { losses, similarity, truth: related.then_some(truth), names }
    }

    fn learned(unrelated: usize) -> Calibration {
        let all: Vec<String> = (0..NAMES).map(|i| i.to_string()).collect();
        let of = |range: std::ops::Range<u64>, related| range.map(|s| scored(s, related)).collect::<Vec<_>>();
        let (unrelated, related) = (of(0..unrelated as u64, false), of(1_000..1_060, true));
        Calibration::learn(Unit::One, "normal", &unrelated, &related, &all).unwrap()
    }

    #[test]
    fn a_claim_is_false_as_often_as_it_says() {
        let calibration = learned(200);
        let claimed = (5_000..5_400).filter(|&s| calibration.p_value(&scored(s, false)) <= 0.05).count();
        assert!((8..=36).contains(&claimed), "{claimed} of 400");
        let record = &calibration.record;
        let observed = record.observed_rate.unwrap();
        assert!((0.01..0.1).contains(&observed), "{observed}");
        let threshold = record.threshold.unwrap();
        let above = |s: u64| best(&calibration.scores(&scored(s, false))) > threshold;
        let rate = (5_000..5_400).filter(|&s| above(s)).count();
        assert!((8..=36).contains(&rate), "{rate} of 400");
    }

    #[test]
    fn a_name_that_fits_everything_leads_no_more() {
        let calibration = learned(100);
        assert!(calibration.record.names["0"] > 1.0, "{:?}", calibration.record.names);
        let (mut raw, mut calibrated) = (0, 0);
        for seed in 5_000..5_200 {
            let scored = scored(seed, true);
            let of_truth = |values: &[f64]| {
                let own = values[scored.truth.unwrap()];
                usize::from(values.iter().all(|other| *other <= own))
            };
            raw += of_truth(&scored.losses.iter().map(|loss| -loss).collect::<Vec<_>>());
            calibrated += of_truth(&calibration.posterior(&scored));
        }
        assert!(calibrated > raw + 20, "{calibrated} {raw}");
    }

    #[test]
    fn a_posterior_is_right_as_often_as_it_says() {
        let calibration = learned(200);
        let (mut said, mut right) = (0.0, 0.0);
        for seed in 5_000..5_400 {
            let scored = scored(seed, true);
            let posterior = calibration.posterior(&scored);
            assert!((posterior.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let first = (0..posterior.len()).max_by(|&a, &b| posterior[a].total_cmp(&posterior[b])).unwrap();
            said += posterior[first] / 400.0;
            right += f64::from(u8::from(scored.truth == Some(first))) / 400.0;
        }
        assert!((said - right).abs() < 0.08, "said {said}, right {right}");
        assert!(right > 0.4, "{right}");
    }

    #[test]
    fn losses_that_are_no_numbers_and_too_few_gradients_are_no_trouble() {
        let calibration = learned(4);
        assert_eq!(calibration.record.threshold, None);
        assert_eq!(calibration.record.observed_rate, None);
        let mut odd = scored(5_000, true);
        odd.losses[0] = f64::INFINITY;
        odd.losses[1] = f64::NAN;
        assert!(calibration.scores(&odd).iter().all(|score| score.is_finite()));
        odd.losses.iter_mut().for_each(|loss| *loss = f64::NAN);
        assert!(calibration.posterior(&odd).iter().all(|p| p.is_finite()));
        assert!(Calibration::learn(Unit::One, "", &[], &[], &[]).is_none());
    }
}
