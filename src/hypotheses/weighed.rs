//! A batch's hypotheses by every way to weigh them.

use super::{Comparison, Found, Ranking, Scored};

/// Of each hypothesis of a batch, in the order in which they were tried.
pub(super) struct Weighed {
    /// What they came to.
    pub scored: Scored,
    /// Matching alone at the same optima.
    pub matching: Option<Vec<f64>>,
    pub calibrated: Option<Vec<f64>>,
    pub posterior: Option<Vec<f64>>,
    pub with_naming: Vec<f64>,
    pub p_value: Option<f64>,
    pub claimed: Option<bool>,
}

impl Weighed {
    pub(super) fn of(found: &Found, number: usize, ranking: &Ranking) -> Weighed {
        let scored = found.scored(number);
        let lowest = |all: &Vec<Vec<f64>>| {
            all.iter().map(|restarts| restarts.iter().copied().fold(f64::INFINITY, f64::min)).collect()
        };
        let calibration = found.calibration.as_ref();
        let p_value = calibration.map(|calibration| calibration.p_value(&scored));
        let with_naming = match calibration {
            Some(calibration) => calibration.with_naming(&scored),
            None => together(&scored, ranking),
        };
        Weighed {
            matching: found.compared[number].matching.as_ref().map(lowest),
            calibrated: calibration.map(|calibration| calibration.scores(&scored)),
            posterior: calibration.map(|calibration| calibration.posterior(&scored)),
            with_naming,
            claimed: calibration.zip(p_value).map(|(c, p)| p <= c.record.false_positive_rate),
            p_value,
            scored,
        }
    }

    /// Ways to rank, and losses by these: less is better.
    pub(super) fn ways(&self, comparison: Comparison) -> Vec<(&'static str, Vec<f64>)> {
        let turned = |all: &Vec<f64>| all.iter().map(|value| -value).collect::<Vec<f64>>();
        let mut ways = vec![(comparison.measure(), self.scored.losses.clone())];
        ways.extend(self.matching.clone().map(|losses| ("matching at that optimum", losses)));
        ways.extend(self.calibrated.as_ref().map(|scores| ("calibrated", turned(scores))));
        ways.push(("with naming", turned(&self.with_naming)));
        ways.push(("naming without guidance", turned(&self.scored.similarity)));
        ways
    }
}

/// The product of the scores of a ranking and of what naming says, of sum 1.
fn together(scored: &Scored, ranking: &Ranking) -> Vec<f64> {
    let mut scores = vec![0.0; scored.losses.len()];
    ranking.order.iter().for_each(|ranked| scores[ranked.hypothesis] = ranked.score);
    let largest = scored.similarity.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let products: Vec<f64> =
        scores.iter().zip(&scored.similarity).map(|(score, log)| score * (log - largest).exp()).collect();
    let sum: f64 = products.iter().sum();
    match sum > 0.0 {
        true => products.into_iter().map(|product| product / sum).collect(),
        false => scores,
    }
}
