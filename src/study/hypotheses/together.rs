//! What comparisons say together: the product of what each of them, and naming without guidance, gives a hypothesis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Compared;
use crate::{
    hypotheses::{Comparison, rank, report::GuideBatch},
    statistics::Estimate,
};

/// Keeps the logarithm of nothing.
const NOTHING: f64 = 1e-300;

/// A hypothesis under one comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfHypothesis {
    /// Of the indices in turn.
    pub names: Vec<String>,
    /// What it is ranked by, less is better.
    pub loss: f64,
    /// Of the same optimum, matching alone.
    pub matching: Option<f64>,
    /// Its posterior; without a calibration its score.
    pub share: f64,
    /// What naming without guidance gives it.
    pub similarity: f64,
    /// Whether it is the truth.
    pub is_true: bool,
    /// How many there are of its batch, those left out included.
    pub hypotheses_in_all: Option<u64>,
}

/// How often several put the true hypothesis first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Together {
    /// Who.
    pub by: String,
    /// How much of the true hypothesis ranks first.
    pub first: Estimate,
    /// Among the first three.
    pub top_3: Estimate,
}

/// The hypotheses of a batch as its report has them.
pub(super) fn of(batch: &GuideBatch) -> Vec<OfHypothesis> {
    let one = |h: &crate::hypotheses::report::HypothesisRecord| OfHypothesis {
        names: h.names.clone(),
        loss: h.loss,
        matching: h.matching,
        share: h.posterior.unwrap_or(h.score),
        similarity: h.similarity,
        is_true: h.is_true,
        hypotheses_in_all: batch.hypotheses_in_all,
    };
    batch.hypotheses.iter().map(one).collect()
}

/// Every comparison alone, each with naming, naming alone, and all together.
pub(super) fn all(measured: &[Compared]) -> Vec<Together> {
    let mut found = vec![];
    for compared in measured {
        let measure = compared.comparison.measure();
        let one = std::slice::from_ref(compared);
        found.push(ranked(one, measure.into(), &|h| -h.loss));
        if compared.batches.iter().flatten().all(|h| h.matching.is_some()) && !compared.batches.is_empty() {
            let by = format!("{measure}: matching at that optimum");
            found.push(ranked(one, by, &|h| -h.matching.unwrap_or(f64::INFINITY)));
        }
        if compared.calibration.is_some() {
            found.push(ranked(one, format!("{measure}, calibrated"), &|h| log(h.share)));
        }
        found.push(ranked(one, format!("{measure}, with naming"), &|h| log(h.share) + log(h.similarity)));
    }
    // Naming is of the unguided pictures of the first comparison.
    let first = &measured[..1];
    found.push(ranked(first, "naming without guidance".into(), &|h| log(h.similarity)));
    let held = |c: &Compared| c.comparison != Comparison::Free;
    let constrained: Vec<Compared> = measured.iter().filter(|c| held(c)).cloned().collect();
    if constrained.len() > 1 {
        found.push(ranked(&constrained, "all that constrain".into(), &|h| log(h.share)));
        let naming = |h: &OfHypothesis| log(h.share) + log(h.similarity) / constrained.len() as f64;
        found.push(ranked(&constrained, "all that constrain, with naming".into(), &naming));
    }
    found
}

fn log(share: f64) -> f64 {
    share.max(NOTHING).ln()
}

/// By the sum of what each comparison says of a hypothesis of the same names, more being better.
fn ranked(compared: &[Compared], by: String, value: &dyn Fn(&OfHypothesis) -> f64) -> Together {
    let batches = compared.iter().map(|c| c.batches.len()).min().unwrap_or(0);
    let (mut first, mut top_3) = (vec![], vec![]);
    for batch in 0..batches {
        let mut sums: BTreeMap<&[String], (f64, usize, bool)> = BTreeMap::new();
        for hypothesis in compared.iter().flat_map(|c| &c.batches[batch]) {
            let sum = sums.entry(&hypothesis.names).or_insert((0.0, 0, hypothesis.is_true));
            sum.0 += value(hypothesis);
            sum.1 += 1;
        }
        // What one of them left out cannot be compared.
        let whole: Vec<&(f64, usize, bool)> = sums.values().filter(|sum| sum.1 == compared.len()).collect();
        let truth = whole.iter().position(|sum| sum.2);
        let ranking = rank(&whole.iter().map(|sum| vec![-sum.0]).collect::<Vec<_>>());
        let among = |most| truth.map_or(0.0, |truth| ranking.among(most, truth));
        first.push(among(1));
        top_3.push(among(3));
    }
    Together { by, first: Estimate::of_shares(&first), top_3: Estimate::of_shares(&top_3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hypothesis(name: &str, loss: f64, share: f64, similarity: f64) -> OfHypothesis {
        let names = vec![name.to_string()];
        let is_true = name == "cat";
        OfHypothesis { names, loss, matching: None, share, similarity, is_true, hypotheses_in_all: Some(3) }
    }

    fn compared(comparison: Comparison, batch: Vec<OfHypothesis>) -> Compared {
        Compared {
            comparison,
            batches: vec![batch],
            calibration: None,
            reliability: None,
            readers: serde_json::Value::Null,
            claimed: None,
            seconds: 0.0,
            skipped: vec![],
        }
    }

    #[test]
    fn what_each_leans_to_all_believe_together() {
        let measured = [
            compared(
                Comparison::Constant,
                vec![
                    hypothesis("dog", 0.1, 0.5, 0.3),
                    hypothesis("cat", 0.2, 0.4, 0.2),
                    hypothesis("cow", 0.3, 0.1, 0.5),
                ],
            ),
            // In another order.
            compared(
                Comparison::Features,
                vec![
                    hypothesis("cow", 1.0, 0.5, 0.5),
                    hypothesis("cat", 1.1, 0.4, 0.2),
                    hypothesis("dog", 2.0, 0.1, 0.3),
                ],
            ),
        ];
        let found = all(&measured);
        let first = |by: &str| found.iter().find(|t| t.by == by).unwrap().first.mean;
        assert_eq!([first("matching and pull"), first("likelihood of features")], [0.0, 0.0]);
        assert_eq!(first("naming without guidance"), 0.0);
        // 0.16 beside 0.05 and 0.05.
        assert_eq!(first("all that constrain"), 1.0);
        assert!(found.iter().all(|t| t.top_3.mean == 1.0));
    }
}
