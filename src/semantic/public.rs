//! What public pictures with names say of the label indices: through the model alone, with no gradient, and by the class
//! features that the last layer's gradient holds.

use std::collections::BTreeSet;

use super::{Seen, Similarity};

/// Rows of the names `(N)`, each of sum 1.
#[derive(Clone, Debug, Default)]
pub struct PublicRows {
    /// Which pictures, in words.
    pub source: String,
    /// `K`: of every index, by the model alone.
    pub alone: Vec<Vec<f64>>,
    /// `M`: of the indices that each batch's reconstructions carry, by the features of their classes. `None` where the
    /// last layer has no bias, whose gradient divides them.
    pub features: Option<Vec<Seen>>,
}

/// Least probability of a name where logarithms are added.
const LEAST: f64 = 1e-6;

impl PublicRows {
    /// What the model alone says of the indices that each batch holds.
    pub fn of_model(&self, present: &[BTreeSet<usize>]) -> Vec<Seen> {
        let seen = |indices: &BTreeSet<usize>| Seen {
            indices: indices.iter().copied().collect(),
            rows: indices.iter().map(|&index| self.alone[index].clone()).collect(),
        };
        present.iter().map(seen).collect()
    }

    /// Features and pictures together: log-probabilities added, each with weight 1. `pictures`: `M`.
    pub fn with_pictures(&self, pictures: &[Seen]) -> Option<Vec<Seen>> {
        let both = |(features, pictures): (&Seen, &Seen)| {
            let shown = Similarity::of([(pictures, 1.0)].into_iter());
            let row = |(index, row): (&usize, &Vec<f64>)| {
                let other = shown.indices.iter().position(|i| i == index).map(|i| &shown.rows[i]);
                other.map_or_else(|| row.clone(), |other| product(row, other))
            };
            let rows = features.indices.iter().zip(&features.rows).map(row).collect();
            Seen { indices: features.indices.clone(), rows }
        };
        Some(self.features.as_ref()?.iter().zip(pictures).map(both).collect())
    }
}

fn product(a: &[f64], b: &[f64]) -> Vec<f64> {
    let row: Vec<f64> = a.iter().zip(b).map(|(a, b)| a.max(LEAST) * b.max(LEAST)).collect();
    let sum: f64 = row.iter().sum();
    row.into_iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_views_that_agree_are_surer_than_either_and_one_that_says_nothing_changes_nothing() {
        let seen = |rows: &[[f64; 2]]| Seen {
            indices: (3..3 + rows.len()).collect(),
            rows: rows.iter().map(|r| r.to_vec()).collect(),
        };
        let features = Some(vec![seen(&[[0.8, 0.2], [0.3, 0.7]])]);
        let public = PublicRows { features, ..PublicRows::default() };
        let both = public.with_pictures(&[seen(&[[0.6, 0.4], [0.5, 0.5]])]).unwrap();
        assert!((both[0].rows[0][0] - 0.48 / 0.56).abs() < 1e-12);
        assert!((both[0].rows[1][1] - 0.7).abs() < 1e-12);
        assert!(PublicRows::default().with_pictures(&[]).is_none());
    }

    #[test]
    fn the_model_alone_speaks_of_the_indices_that_are_there() {
        let public = PublicRows { alone: vec![vec![1.0, 0.0], vec![0.0, 1.0]], ..PublicRows::default() };
        let seen = public.of_model(&[BTreeSet::from([1]), BTreeSet::from([0, 1])]);
        assert_eq!((seen[0].indices.clone(), seen[0].rows.clone()), (vec![1], vec![vec![0.0, 1.0]]));
        assert_eq!(seen[1].indices, [0, 1]);
    }
}
