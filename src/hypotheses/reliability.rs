//! Whether a posterior is right as often as it says, over all hypotheses of all gradients whose truth is known.

use serde::Serialize;

use crate::statistics::share_interval_95;

/// Edges of the bins.
const EDGES: [f64; 8] = [0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0];

/// Hypotheses by their posterior.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// Rising, those without a hypothesis left out.
    pub bins: Vec<Bin>,
    /// Mean distance of what was said and what was so, each bin by its hypotheses.
    pub expected_calibration_error: f64,
    /// Mean of the squared distances of posterior and truth.
    pub brier: f64,
}

/// Hypotheses whose posterior lies between two values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Edges: above the first, at most the second.
    pub between: [f64; 2],
    /// How many there are.
    pub hypotheses: usize,
    /// Mean of their posterior.
    pub said: f64,
    /// Share of them that is true.
    pub right: f64,
    /// Of that share.
    pub interval_95: [f64; 2],
}

impl Reliability {
    /// Of posteriors, and whether what they are of is true. `None` without any.
    pub fn of(all: &[(f64, bool)]) -> Option<Reliability> {
        if all.is_empty() {
            return None;
        }
        let bin = |edges: &[f64]| {
            let between = [edges[0], edges[1]];
            let is_first = between[0] == 0.0;
            let within = |p: f64| (p > between[0] || is_first) && p <= between[1];
            let own: Vec<&(f64, bool)> = all.iter().filter(|(p, _)| within(*p)).collect();
            let right = own.iter().filter(|(_, is_true)| *is_true).count();
            (!own.is_empty()).then(|| Bin {
                between,
                hypotheses: own.len(),
                said: own.iter().map(|(p, _)| p).sum::<f64>() / own.len() as f64,
                right: right as f64 / own.len() as f64,
                interval_95: share_interval_95(right, own.len()),
            })
        };
        let bins: Vec<Bin> = EDGES.windows(2).filter_map(bin).collect();
        let n = all.len() as f64;
        let error = bins.iter().map(|b| b.hypotheses as f64 * (b.said - b.right).abs()).sum::<f64>() / n;
        let square = |(p, is_true): &(f64, bool)| (p - f64::from(u8::from(*is_true))).powi(2);
        let brier = all.iter().map(square).sum::<f64>() / n;
        Some(Reliability { bins, expected_calibration_error: error, brier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stands_beside_what_was_so() {
        assert_eq!(Reliability::of(&[]), None);
        let all = [(0.9, true), (0.9, true), (0.9, false), (0.1, false), (0.0, false), (0.03, true)];
        let found = Reliability::of(&all).unwrap();
        let bins: Vec<_> = found.bins.iter().map(|b| (b.between, b.hypotheses)).collect();
        assert_eq!(bins, [([0.0, 0.05], 2), ([0.05, 0.1], 1), ([0.8, 1.0], 3)]);
        assert!((found.bins[2].right - 2.0 / 3.0).abs() < 1e-12 && (found.bins[2].said - 0.9).abs() < 1e-12);
        let expected = (2.0 * (0.015_f64 - 0.5).abs() + 0.1 + 3.0 * (0.9 - 2.0 / 3.0)) / 6.0;
        assert!((found.expected_calibration_error - expected).abs() < 1e-12);
    }
}
