//! How many indices were named right, and how sure that figure is.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Assignment, Seen, SemanticError, Similarity};
use crate::{
    data::place_of_name,
    statistics::{Estimate, fraction_interval_95},
};

/// Which candidate name each index truly has.
#[derive(Clone, Debug)]
pub struct Truth {
    /// By index: the column of its name among the candidates, if it is one of them.
    columns: Vec<Option<usize>>,
}

impl Truth {
    /// `of_indices`: what each index means.
    pub fn new(of_indices: &[Option<String>], candidates: &[String]) -> Truth {
        let column = |name: &Option<String>| place_of_name(candidates, name.as_ref()?);
        Truth { columns: of_indices.iter().map(column).collect() }
    }

    /// `None` where the true name is no candidate: then no name is right.
    pub fn column(&self, index: usize) -> Option<usize> {
        self.columns.get(index).copied().flatten()
    }
}

/// Share of indices named right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    /// In [0, 1].
    pub share: f64,
    /// Indices named right.
    pub right: usize,
    /// Indices that the batches truly hold.
    pub of: usize,
    /// Clopper and Pearson's, of so many independent units as there are indices, or batches where those are fewer.
    pub interval_95: [f64; 2],
    /// Those units.
    pub units: f64,
}

/// Single batches, and all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Score {
    /// Share of a batch's indices named right from this batch alone, over the batches.
    pub per_batch: Estimate,
    /// Every index named once, from all batches; absent where one-to-one has fewer names than indices.
    pub aggregated: Option<Share>,
}

/// By both ways to give names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Accuracy {
    /// Each index with its own best name; several may share one.
    pub greedy: Score,
    /// Absent where a single batch has more indices than there are names.
    pub one_to_one: Option<Score>,
}

impl Accuracy {
    /// `present (M)`: the indices that each batch truly holds. One that no reconstruction carries is not named right.
    pub fn of(seen: &[Seen], present: &[BTreeSet<usize>], truth: &Truth, weights: &[f64]) -> Accuracy {
        let scorer = Scorer { seen, present, truth, weights };
        Accuracy { greedy: scorer.greedy(), one_to_one: scorer.score(Assignment::OneToOne).ok() }
    }

    /// The score of this assignment, where there is one.
    pub fn score(&self, assignment: Assignment) -> Option<&Score> {
        match assignment {
            Assignment::Greedy => Some(&self.greedy),
            Assignment::OneToOne => self.one_to_one.as_ref(),
        }
    }
}

/// Batches and what is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Scorer<'a> {
    /// `M`
    pub seen: &'a [Seen],
    /// `M`: the indices that each batch truly holds.
    pub present: &'a [BTreeSet<usize>],
    pub truth: &'a Truth,
    /// `M`: how much each batch counts.
    pub weights: &'a [f64],
}

impl Scorer<'_> {
    fn greedy(&self) -> Score {
        self.score(Assignment::Greedy).expect("an index always has a most probable name")
    }

    fn score(&self, assignment: Assignment) -> Result<Score, SemanticError> {
        let share = |batches: &[usize]| {
            let (right, of) = self.right(assignment, batches)?;
            Ok(right as f64 / of.max(1) as f64)
        };
        let single =
            (0..self.seen.len()).map(|m| share(&[m])).collect::<Result<Vec<f64>, SemanticError>>()?;
        Ok(Score { per_batch: Estimate::of_shares(&single), aggregated: self.aggregated(assignment).ok() })
    }

    fn aggregated(&self, assignment: Assignment) -> Result<Share, SemanticError> {
        let all: Vec<usize> = (0..self.seen.len()).collect();
        let (right, of) = self.right(assignment, &all)?;
        let share = right as f64 / of.max(1) as f64;
        // Indices of one batch share its gradient.
        let units = of.min(self.seen.len()) as f64;
        Ok(Share { share, right, of, interval_95: fraction_interval_95(share * units, units), units })
    }

    /// Indices named right from these batches, and all that they hold.
    pub(crate) fn right(
        &self,
        assignment: Assignment,
        batches: &[usize],
    ) -> Result<(usize, usize), SemanticError> {
        let similarity = Similarity::of(batches.iter().map(|&m| (&self.seen[m], self.weights[m])));
        let columns = match assignment {
            Assignment::Greedy => similarity.greedy(),
            Assignment::OneToOne => similarity.one_to_one()?,
        };
        let present: BTreeSet<usize> =
            batches.iter().flat_map(|&m| self.present[m].iter().copied()).collect();
        let named = similarity.indices.iter().zip(columns);
        let right = named
            .filter(|&(index, column)| present.contains(index) && self.truth.column(*index) == Some(column));
        Ok((right.count(), present.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch with one reconstruction an index, sure of these columns.
    fn sure(pairs: &[(usize, usize)], names: usize) -> Seen {
        let row =
            |column: usize| (0..names).map(|k| if k == column { 0.9 } else { 0.1 / names as f64 }).collect();
        Seen { indices: pairs.iter().map(|p| p.0).collect(), rows: pairs.iter().map(|p| row(p.1)).collect() }
    }

    fn truth(names: usize) -> Truth {
        let words: Vec<String> = (0..names).map(|k| format!("Word {k}")).collect();
        let of_indices: Vec<_> = words.iter().map(|w| Some(w.to_uppercase())).collect();
        Truth::new(&of_indices, &words)
    }

    fn present(seen: &[Seen]) -> Vec<BTreeSet<usize>> {
        seen.iter().map(|s| s.indices.iter().copied().collect()).collect()
    }

    #[test]
    fn shares_are_of_the_indices_that_the_batches_hold() {
        let mut seen = [sure(&[(0, 0), (1, 2)], 4), sure(&[(2, 2), (3, 3)], 4)];
        seen[0].rows[1] = vec![0.05, 0.3, 0.6, 0.05];
        let found = Accuracy::of(&seen, &present(&seen), &truth(4), &[1.0, 1.0]);
        assert_eq!((found.greedy.per_batch.mean, found.greedy.per_batch.count), (0.75, 2));
        let all = found.greedy.aggregated.unwrap();
        assert_eq!((all.right, all.of, all.share), (3, 4, 0.75));
        // 1.5 of 2 batches.
        assert_eq!(all.interval_95, fraction_interval_95(1.5, 2.0));
        // Index 1 may not have the name that index 2 is surer of.
        let one_to_one = found.one_to_one.unwrap();
        assert_eq!(one_to_one.aggregated.unwrap().right, 4);
        assert_eq!(one_to_one.per_batch.mean, 0.75);
    }

    #[test]
    fn an_index_that_was_not_restored_is_not_right_and_one_too_many_does_not_count() {
        let seen = [sure(&[(0, 0), (3, 3)], 4)];
        let held = [BTreeSet::from([0, 1])];
        let found = Accuracy::of(&seen, &held, &truth(4), &[1.0]).greedy;
        assert_eq!(found.per_batch.mean, 0.5);
        let [low, high] = found.aggregated.unwrap().interval_95;
        assert!(low < 0.05 && high > 0.95, "one batch says little: {low} {high}");
    }

    #[test]
    fn aggregation_mends_what_single_batches_get_wrong() {
        let mixed = |right: f64| Seen { indices: vec![0], rows: vec![vec![right, 1.0 - right]] };
        let seen = [mixed(0.9), mixed(0.4), mixed(0.9)];
        let found = Accuracy::of(&seen, &present(&seen), &truth(2), &[1.0; 3]).greedy;
        assert!((found.per_batch.mean - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(found.aggregated.unwrap().share, 1.0);
        let weighted = Accuracy::of(&seen, &present(&seen), &truth(2), &[0.0, 1.0, 0.0]).greedy;
        assert_eq!(weighted.aggregated.unwrap().share, 0.0);
    }

    #[test]
    fn fewer_names_than_indices_leave_one_to_one_out() {
        let seen = [sure(&[(0, 0), (1, 1)], 2), sure(&[(2, 0)], 2)];
        let found = Accuracy::of(&seen, &present(&seen), &truth(2), &[1.0; 2]);
        let one_to_one = found.one_to_one.unwrap();
        assert_eq!((one_to_one.per_batch.count, one_to_one.aggregated), (2, None));
        let many = [sure(&[(0, 0), (1, 1), (2, 1)], 2)];
        assert_eq!(Accuracy::of(&many, &present(&many), &truth(2), &[1.0]).one_to_one, None);
    }

    #[test]
    fn a_true_name_that_is_no_candidate_is_never_right() {
        let truth = Truth::new(&[Some("ship".into()), None], &["dog".into(), "cat".into()]);
        assert_eq!((truth.column(0), truth.column(1), truth.column(9)), (None, None, None));
        let seen = [sure(&[(0, 0), (1, 1)], 2)];
        assert_eq!(Accuracy::of(&seen, &present(&seen), &truth, &[1.0]).greedy.per_batch.mean, 0.0);
    }
}
