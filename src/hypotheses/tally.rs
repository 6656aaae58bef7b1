//! Over many batches: how often the true hypothesis leads, beside chance and beside naming without guidance.

use serde::Serialize;

use crate::statistics::Estimate;

/// How much of the true hypothesis ranks first, and among the first three, by one way to rank.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Order<T> {
    /// What ranks.
    pub by: &'static str,
    /// First.
    pub first: T,
    /// Among the first three.
    pub top_3: T,
}

/// One batch whose truth is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// How much of the true hypothesis ranks first and among the first three, see
    /// [`Ranking::among`](super::Ranking::among).
    pub first: f64,
    /// How much of the true hypothesis ranks among the first three.
    pub top_3: f64,
    /// What a blind ranking of all hypotheses, the pruned ones included, scores on average.
    pub chance_first: f64,
    /// What a blind ranking scores among the first three.
    pub chance_top_3: f64,
    /// 1 where naming the unguided reconstructions finds the true hypothesis, else 0.
    pub unguided: f64,
    /// Share of the indices that the hypothesis ranked first names right, and that naming without guidance does.
    pub names: f64,
    /// Share of the indices that naming without guidance names right.
    pub unguided_names: f64,
    /// By every way to rank.
    pub orders: Vec<Order<f64>>,
}

/// Means over batches, with 95 % intervals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tally {
    /// That can be judged.
    pub batches: usize,
    /// How often the true hypothesis ranks first.
    pub first: Estimate,
    /// How often it ranks among the first three.
    pub top_3: Estimate,
    /// What a blind ranking scores on average.
    pub chance_first: f64,
    /// What a blind ranking scores among the first three.
    pub chance_top_3: f64,
    /// How often naming without guidance finds the true hypothesis.
    pub unguided: Estimate,
    /// Share of the indices that the hypothesis ranked first names right.
    pub names: Estimate,
    /// Share of the indices that naming without guidance names right.
    pub unguided_names: Estimate,
    /// Over the same batches: `first` minus `unguided`.
    pub first_minus_unguided: Estimate,
    /// By every way to rank.
    pub orders: Vec<Order<Estimate>>,
}

impl Tally {
    /// `None` without a batch.
    pub fn of(batches: &[Judged]) -> Option<Tally> {
        if batches.is_empty() {
            return None;
        }
        let values = |pick: &dyn Fn(&Judged) -> f64| batches.iter().map(pick).collect::<Vec<f64>>();
        let estimate = |pick: &dyn Fn(&Judged) -> f64| Estimate::of_shares(&values(pick));
        let order = |(i, order): (usize, &Order<f64>)| Order {
            by: order.by,
            first: estimate(&|b| b.orders[i].first),
            top_3: estimate(&|b| b.orders[i].top_3),
        };
        Some(Tally {
            orders: batches[0].orders.iter().enumerate().map(order).collect(),
            batches: batches.len(),
            first: estimate(&|b| b.first),
            top_3: estimate(&|b| b.top_3),
            chance_first: estimate(&|b| b.chance_first).mean,
            chance_top_3: estimate(&|b| b.chance_top_3).mean,
            unguided: estimate(&|b| b.unguided),
            names: estimate(&|b| b.names),
            unguided_names: estimate(&|b| b.unguided_names),
            first_minus_unguided: Estimate::within(&values(&|b| b.first - b.unguided), Some([-1.0, 1.0])),
        })
    }
}

/// What a blind ranking of so many hypotheses scores: 1/H and 3/H.
pub fn chance(hypotheses: Option<u64>) -> [f64; 2] {
    let count = hypotheses.map_or(f64::INFINITY, |n| n.max(1) as f64);
    [1.0, 3.0].map(|most| (most / count).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_the_mean_of_its_batches() {
        let [chance_first, chance_top_3] = chance(Some(12));
        let judged = |first: f64, unguided: f64| Judged {
            first,
            top_3: 1.0,
            chance_first,
            chance_top_3,
            unguided,
            names: 0.5,
            unguided_names: 0.0,
            orders: vec![Order { by: "a", first, top_3: unguided }],
        };
        let tally = Tally::of(&[judged(1.0, 0.0), judged(0.5, 1.0), judged(0.0, 0.0)]).unwrap();
        assert_eq!((tally.batches, tally.first.mean, tally.top_3.mean), (3, 0.5, 1.0));
        assert_eq!((tally.orders[0].by, tally.orders[0].first.mean), ("a", 0.5));
        assert!((tally.chance_top_3 - 0.25).abs() < 1e-12);
        assert!((tally.first_minus_unguided.mean - 1.0 / 6.0).abs() < 1e-12);
        assert!(Tally::of(&[]).is_none());
        assert_eq!(chance(None), [0.0, 0.0]);
        assert_eq!(chance(Some(2)), [0.5, 1.0]);
    }
}
