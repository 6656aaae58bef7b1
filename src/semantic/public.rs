//! What public pictures with names say of the label indices: through the model alone, with no gradient, and by the class
//! features that the last layer's gradient holds.

use std::collections::BTreeSet;

use super::{ClassifierRecord, Seen, Similarity};

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
    /// What named the features.
    pub classifier: Option<ClassifierRecord>,
}

/// Least probability of a name where logarithms are added.
const LEAST: f64 = 1e-6;

/// How much the logarithms of either route count, of features and of pictures.
///
/// Chosen on seed 101 of an untrained `lenet-zhu` (`cargo run --release --example exact_figures -- … --seed 101 --only lenet
/// combination`), as the weight whose largest loss against the better of both routes is least over 1 to 16 pictures.
pub(crate) const WEIGHTS: [f64; 2] = [1.0, 0.5];

impl PublicRows {
    /// What the model alone says of the indices that each batch holds.
    pub fn of_model(&self, present: &[BTreeSet<usize>]) -> Vec<Seen> {
        let seen = |indices: &BTreeSet<usize>| Seen {
            indices: indices.iter().copied().collect(),
            rows: indices.iter().map(|&index| self.alone[index].clone()).collect(),
        };
        present.iter().map(seen).collect()
    }

    /// Features and pictures together: log-probabilities added, with `WEIGHTS`. `pictures`: `M`.
    pub fn with_pictures(&self, pictures: &[Seen]) -> Option<Vec<Seen>> {
        self.weighted(pictures, WEIGHTS)
    }

    /// The same with these weights of features and of pictures.
    pub fn weighted(&self, pictures: &[Seen], weights: [f64; 2]) -> Option<Vec<Seen>> {
        let both = |(features, pictures): (&Seen, &Seen)| {
            let shown = Similarity::of([(pictures, 1.0)].into_iter());
            let row = |(index, row): (&usize, &Vec<f64>)| {
                let other = shown.indices.iter().position(|i| i == index).map(|i| &shown.rows[i]);
                other.map_or_else(|| row.clone(), |other| product(row, other, weights))
            };
            let rows = features.indices.iter().zip(&features.rows).map(row).collect();
            Seen { indices: features.indices.clone(), rows }
        };
        Some(self.features.as_ref()?.iter().zip(pictures).map(both).collect())
    }
}

fn product(a: &[f64], b: &[f64], [of_a, of_b]: [f64; 2]) -> Vec<f64> {
    let power = |p: f64, weight: f64| p.max(LEAST).powf(weight);
    let row: Vec<f64> = a.iter().zip(b).map(|(&a, &b)| power(a, of_a) * power(b, of_b)).collect();
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
        let both = public.weighted(&[seen(&[[0.6, 0.4], [0.5, 0.5]])], [1.0, 1.0]).unwrap();
        assert!((both[0].rows[0][0] - 0.48 / 0.56).abs() < 1e-12);
        assert!((both[0].rows[1][1] - 0.7).abs() < 1e-12);
        let first = public.weighted(&[seen(&[[0.6, 0.4], [0.5, 0.5]])], [1.0, 0.0]).unwrap();
        assert!((first[0].rows[0][0] - 0.8).abs() < 1e-12);
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
