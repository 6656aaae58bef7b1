//! From a row a reconstruction to a row, and a name, an index.

use std::collections::BTreeMap;

use super::SemanticError;
use crate::{metrics::assign, spelling::choices};

choices! {
    /// How names are given to indices.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Assignment {
        /// Each index its most probable name; a name may serve twice
        Greedy = "greedy",
        /// Every index another name, for the largest sum of probabilities (Hungarian)
        OneToOne = "one-to-one",
    }
}

/// The reconstructions of one batch as a model sees them.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `(B)`: the label index that each carries.
    pub indices: Vec<usize>,
    /// `(B,N)`: probabilities of the candidate names.
    pub rows: Vec<Vec<f64>>,
}

/// The similarity matrix of indices and names.
#[derive(Clone, Debug, PartialEq)]
pub struct Similarity {
    /// `(I)`, rising: every index that some reconstruction carries.
    pub indices: Vec<usize>,
    /// `(I)`: reconstructions that carry it.
    pub counts: Vec<usize>,
    /// `(I,N)`: the mean of their rows.
    pub rows: Vec<Vec<f64>>,
}

impl Similarity {
    /// Of one batch or several, with a weight ≥ 0 each: a reconstruction counts as much as its batch. An index whose
    /// batches all weigh nothing has the plain mean.
    pub fn of<'s>(batches: impl Iterator<Item = (&'s Seen, f64)> + Clone) -> Similarity {
        let mut weights: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
        for (seen, weight) in batches.clone() {
            for &index in &seen.indices {
                let (sum, count) = weights.entry(index).or_default();
                *sum += weight;
                *count += 1;
            }
        }
        let mut sums: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (seen, weight) in batches {
            for (&index, row) in seen.indices.iter().zip(&seen.rows) {
                let share = match weights[&index] {
                    (sum, _) if sum > 0.0 => weight / sum,
                    (_, count) => 1.0 / count as f64,
                };
                let sum = sums.entry(index).or_insert_with(|| vec![0.0; row.len()]);
                sum.iter_mut().zip(row).for_each(|(sum, p)| *sum += share * p);
            }
        }
        Similarity {
            indices: weights.keys().copied().collect(),
            counts: weights.values().map(|w| w.1).collect(),
            rows: sums.into_values().collect(),
        }
    }

    /// `(I)`: the column of each index's most probable name; the first of equals.
    pub fn greedy(&self) -> Vec<usize> {
        let largest =
            |row: &Vec<f64>| (1..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best });
        self.rows.iter().map(largest).collect()
    }

    /// `(I)`: a column an index, none twice, for the largest sum of probabilities.
    ///
    /// # Errors
    /// [`SemanticError::TooFewNames`]
    pub fn one_to_one(&self) -> Result<Vec<usize>, SemanticError> {
        let names = self.rows.first().map_or(0, Vec::len);
        if names < self.indices.len() {
            return Err(SemanticError::TooFewNames { names, indices: self.indices.len() });
        }
        if self.indices.is_empty() {
            return Ok(vec![]);
        }
        Ok(assign::largest_sum(self.indices.len(), names, &self.rows.concat()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rows: &[(usize, [f64; 3])]) -> Seen {
        Seen {
            indices: rows.iter().map(|r| r.0).collect(),
            rows: rows.iter().map(|r| r.1.to_vec()).collect(),
        }
    }

    fn matrix(batches: &[Seen], weights: &[f64]) -> Similarity {
        Similarity::of(batches.iter().zip(weights.iter().copied()))
    }

    #[test]
    fn an_index_has_the_mean_row_of_all_reconstructions_that_carry_it() {
        let batches = [
            seen(&[(7, [1.0, 0.0, 0.0]), (2, [0.2, 0.8, 0.0]), (7, [0.0, 1.0, 0.0])]),
            seen(&[(7, [0.0, 0.0, 1.0])]),
        ];
        let one = matrix(&batches[..1], &[1.0]);
        assert_eq!((&one.indices[..], &one.counts[..]), (&[2, 7][..], &[1, 2][..]));
        assert_eq!(one.rows, [vec![0.2, 0.8, 0.0], vec![0.5, 0.5, 0.0]]);
        // Not the mean of the batches' means.
        let all = matrix(&batches, &[1.0, 1.0]);
        assert_eq!(all.counts, [1, 3]);
        assert!(all.rows[1].iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-15));
        let weighted = matrix(&batches, &[0.5, 3.0]);
        assert_eq!(weighted.rows[1], [0.125, 0.125, 0.75]);
        // A batch that weighs nothing still tells of an index that no other has.
        let none = matrix(&batches, &[0.0, 1.0]);
        assert_eq!((none.rows[0][1], none.rows[1][2]), (0.8, 1.0));
    }

    #[test]
    fn greedy_takes_a_name_twice_and_one_to_one_does_not() {
        let similarity = matrix(&[seen(&[(0, [0.6, 0.3, 0.1]), (1, [0.5, 0.1, 0.4])])], &[1.0]);
        assert_eq!(similarity.greedy(), [0, 0]);
        assert_eq!(similarity.one_to_one().unwrap(), [0, 2]);
        let equal = matrix(&[seen(&[(3, [0.2, 0.4, 0.4])])], &[1.0]);
        assert_eq!(equal.greedy(), [1]);
    }

    #[test]
    fn one_to_one_needs_a_name_an_index() {
        let rows: Vec<_> = (0..4).map(|index| (index, [0.2, 0.3, 0.5])).collect();
        let error = matrix(&[seen(&rows)], &[1.0]).one_to_one().unwrap_err().to_string();
        assert!(error.contains("4 label indices") && error.contains("found 3"), "{error}");
    }
}
