//! Hypotheses in the order of their final gradient-matching loss.

use serde::Serialize;

/// Of a loss below 1, what rounding of sums in `f32` leaves open: a few units in the last place of 1, for a cosine is
/// taken from 1. Of larger losses, that share.
const ROUNDING: f64 = 1e-6;

/// One hypothesis and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// Its place in the list that was ranked.
    pub hypothesis: usize,
    /// The lowest final loss of its restarts: gradient matching alone. `null` where none was finite.
    pub loss: f64,
    /// `(R)`: of each restart.
    pub restarts: Vec<f64>,
    /// See `scores`.
    pub score: f64,
    /// Whether the first one's lead over it is within the noise; true of the first itself.
    pub tied: bool,
}

/// The order, and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// The lowest loss first; equal ones in the order given.
    pub order: Vec<Ranked>,
    /// Loss of the second minus that of the first; absent where there is no second.
    pub margin: Option<f64>,
    /// How many hypotheses, the first included, the losses cannot tell from the first.
    pub tied: usize,
}

/// Ranks hypotheses by the lowest of their restarts' final losses; `losses`: `(H,R)`, restarts in the same order, for
/// those of one place share their start. `H` and `R` are at least 1.
///
/// Another hypothesis ties with the first where the difference of their losses is not above the noise: rounding
/// (1e-6, of the loss where that is above 1), or with two restarts or more the standard error of the mean of the
/// differences between restarts of one start, whichever is larger.
pub fn rank(losses: &[Vec<f64>]) -> Ranking {
    let lowest = |restarts: &[f64]| restarts.iter().copied().fold(f64::INFINITY, lower);
    let scores = scores(losses);
    let mut order: Vec<Ranked> = losses
        .iter()
        .zip(scores)
        .enumerate()
        .map(|(hypothesis, (restarts, score))| Ranked {
            hypothesis,
            loss: lowest(restarts),
            restarts: restarts.clone(),
            score,
            tied: false,
        })
        .collect();
    order.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    let first = order[0].clone();
    for ranked in &mut order {
        let noise = rounding(first.loss).max(standard_error(&ranked.restarts, &first.restarts));
        // Two without a finite loss cannot be told apart either.
        ranked.tied = ranked.loss == first.loss || ranked.loss - first.loss <= noise;
    }
    Ranking {
        margin: order.get(1).map(|second| second.loss - first.loss),
        tied: order.iter().filter(|ranked| ranked.tied).count(),
        order,
    }
}

impl Ranking {
    /// How much of a true hypothesis stands among the first `most`: 1 or 0, and a share of 1 where as many others have
    /// its very loss, up to rounding, that only luck decides who is among them. 0 where it was not ranked.
    pub fn among(&self, most: usize, hypothesis: usize) -> f64 {
        let Some(own) = self.order.iter().find(|ranked| ranked.hypothesis == hypothesis) else { return 0.0 };
        let same =
            |other: &&Ranked| other.loss == own.loss || (other.loss - own.loss).abs() <= rounding(own.loss);
        let equal = self.order.iter().filter(same).count();
        let before = self.order.iter().filter(|other| !same(other) && other.loss < own.loss).count();
        (most.saturating_sub(before) as f64 / equal as f64).min(1.0)
    }
}

/// What rounding may make of a loss.
fn rounding(loss: f64) -> f64 {
    if loss.is_finite() { ROUNDING * loss.max(1.0) } else { 0.0 }
}

fn lower(a: f64, b: f64) -> f64 {
    if b.is_nan() || a <= b { a } else { b }
}

/// Of the mean of a − b over restarts; 0 for one restart.
fn standard_error(a: &[f64], b: &[f64]) -> f64 {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).filter(|d| d.is_finite()).collect();
    let n = differences.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (variance / n).sqrt()
}

/// How much each hypothesis would be believed, all being equally likely before: the mean over restarts of the softmax of
/// −loss/τ, where τ is the standard deviation of that restart's losses over the hypotheses. They sum to 1. They say how
/// far ahead the first ones are for how much losses differ at all; they are not calibrated probabilities.
fn scores(losses: &[Vec<f64>]) -> Vec<f64> {
    let (count, restarts) = (losses.len(), losses[0].len());
    let mut scores = vec![0.0; count];
    for restart in 0..restarts {
        let column: Vec<f64> = losses.iter().map(|row| row[restart]).collect();
        let finite: Vec<f64> = column.iter().copied().filter(|l| l.is_finite()).collect();
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let spread = (finite.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / n).sqrt();
        let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let weight = |loss: &f64| match (loss.is_finite(), spread > rounding(least)) {
            (true, true) => ((least - loss) / spread).exp(),
            (true, false) => 1.0,
            // Where no hypothesis has a finite loss, none is better than another.
            (false, _) => f64::from(u8::from(finite.is_empty())),
        };
        let weights: Vec<f64> = column.iter().map(weight).collect();
        let sum: f64 = weights.iter().sum();
        scores.iter_mut().zip(&weights).for_each(|(score, weight)| *score += weight / sum / restarts as f64);
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_loss_leads_by_its_margin_and_scores_sum_to_1() {
        let ranking = rank(&[vec![0.3, 0.4], vec![0.1, 0.1], vec![0.5, 0.2]]);
        let order: Vec<usize> = ranking.order.iter().map(|r| r.hypothesis).collect();
        assert_eq!(order, [1, 2, 0]);
        assert!((ranking.margin.unwrap() - 0.1).abs() < 1e-12);
        assert!((ranking.order.iter().map(|r| r.score).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(ranking.order[0].score > ranking.order[1].score);
        assert_eq!([0, 1, 2].map(|h| ranking.among(1, h)), [0.0, 1.0, 0.0]);
        assert_eq!([0, 1, 2].map(|h| ranking.among(2, h)), [0.0, 1.0, 1.0]);
        assert_eq!(ranking.among(3, 7), 0.0, "it was not ranked");
    }

    #[test]
    fn what_rounding_or_restarts_cannot_tell_apart_is_tied() {
        let close = rank(&[vec![0.1], vec![0.1 + 1e-7], vec![0.2]]);
        assert_eq!((close.tied, close.order[2].tied), (2, false));
        // Half of the first place each, and both are among two.
        assert_eq!([0, 1, 2].map(|h| close.among(1, h)), [0.5, 0.5, 0.0]);
        assert_eq!([0, 1, 2].map(|h| close.among(2, h)), [1.0, 1.0, 0.0]);
        // The second leads at one start and trails at the other: its restarts do not tell.
        let torn = rank(&[vec![0.10, 0.30], vec![0.11, 0.20], vec![0.30, 0.45]]);
        assert_eq!((torn.tied, torn.order[1].tied, torn.order[2].tied), (2, true, false));
        // Always behind by as much: they do.
        assert_eq!(rank(&[vec![0.10, 0.30], vec![0.11, 0.31]]).tied, 1);
    }

    #[test]
    fn losses_that_are_not_finite_come_last() {
        let ranking = rank(&[vec![f64::INFINITY, f64::NAN], vec![0.2, 0.3]]);
        assert_eq!((ranking.order[0].hypothesis, ranking.tied), (1, 1));
        assert_eq!((ranking.order[0].score, ranking.order[1].score), (1.0, 0.0));
        let none = rank(&[vec![f64::INFINITY], vec![f64::INFINITY]]);
        assert_eq!((none.tied, none.order[0].score), (2, 0.5));
    }
}
