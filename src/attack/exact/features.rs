//! The mean feature of each class in a batch, from the last layer's gradient.
//!
//! Each picture's feature follows, or is estimated, from all equations at once ([`super::per_picture`]), and with it the
//! mean of a class. Where the batch is too large for that, ê_c = ∇W_c/∇b_c, an estimate; of a batch of one picture, all
//! rows together give its feature exactly, whatever the gradient's scale. Where the victim's predictions vary little, ê can be
//! corrected: with P = softmax(W·ê + b) the gradient is ∇W = M·H for M = (Pᵀ − E)·diag(n)/B, a column a class present. The H
//! nearest to ê that fulfils it is the better estimate, and gives a better P. On trained victims this diverges; then ê stays.

use super::{
    labels::predicted,
    matrix::{Matrix, NotConverged, pseudo_inverse},
    per_picture::{PictureFeatures, per_picture},
};
use crate::{attack::labels::only_feature, federated::Victim};

/// Entries of M up to which features are corrected.
const MOST_REFINED: usize = 100_000;
/// Rounds of correction at most.
const ROUNDS: usize = 20;

/// The last layer, logits = W·h + b, and its part of the gradient.
#[derive(Clone, Debug)]
pub struct LastLayer64 {
    /// W `(K, d)`
    pub weight: Matrix,
    /// b `(K)`
    pub bias: Vec<f64>,
    /// ∇W `(K, d)`
    pub weight_gradient: Matrix,
    /// ∇b `(K)`
    pub bias_gradient: Vec<f64>,
}

/// Features of the classes that are present.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassFeatures {
    /// Rising.
    pub classes: Vec<usize>,
    /// One row a class, `(C, d)`.
    pub features: Matrix,
    /// Rounds of correction that were kept.
    pub rounds: usize,
    /// ‖M·H − ∇W‖/‖∇W‖ with the predictions of the features themselves.
    pub residual: f64,
}

impl LastLayer64 {
    /// A victim's last layer, with no gradient.
    pub fn of(victim: &Victim) -> LastLayer64 {
        let (weight, bias) = victim.last_layer();
        let classes = victim.model.classes;
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let width = weight.len() / classes;
        LastLayer64 {
            weight: Matrix::new(classes, width, wide(weight)),
            bias: bias.map_or(vec![0.0; classes], wide),
            weight_gradient: Matrix::new(classes, width, vec![0.0; weight.len()]),
            bias_gradient: vec![0.0; classes],
        }
    }

    /// The features of the classes with these labels in a gradient, one tensor a trainable parameter; `None` where the layer
    /// has no bias, or the gradient is not finite.
    pub fn features_of(victim: &Victim, gradient: &[Vec<f32>], labels: &[usize]) -> Option<ClassFeatures> {
        victim.last_layer().1?;
        let mut layer = LastLayer64::of(victim);
        let of = |at: usize| gradient[at].iter().map(|&g| f64::from(g)).collect::<Vec<f64>>();
        layer.weight_gradient.values = of(victim.last_weight());
        layer.bias_gradient = of(victim.last_weight() + 1);
        let mut counts = vec![0; victim.model.classes];
        labels.iter().for_each(|&label| counts[label] += 1);
        let present = counts.iter().filter(|count| **count > 0).count();
        if present * counts.len() > MOST_REFINED {
            return Some(layer.class_features(&counts));
        }
        let classes = layer.refined(&counts, None).ok()?;
        let mut sorted = labels.to_vec();
        sorted.sort_unstable();
        match per_picture(&layer, &sorted) {
            Ok(Some(found)) if labels.len() > 1 && found.residual < classes.residual => {
                Some(ClassFeatures::of_pictures(&sorted, &found))
            }
            _ => Some(classes),
        }
    }

    /// The batch's mean feature as the classes with ∇b > 0 see it: Σ ∇W_c / Σ ∇b_c over them, `(d)`.
    pub fn mean_feature(&self) -> Vec<f64> {
        let (mut sum, mut weight) = (vec![0.0; self.weight.columns], 0.0);
        for (c, &b) in self.bias_gradient.iter().enumerate().filter(|(_, b)| **b > 0.0) {
            weight += b;
            sum.iter_mut().zip(self.weight_gradient.row(c)).for_each(|(sum, w)| *sum += w);
        }
        sum.into_iter().map(|sum| sum / weight.max(f64::MIN_POSITIVE)).collect()
    }

    /// ê of the classes with samples, `counts` `(K)`.
    pub fn class_features(&self, counts: &[usize]) -> ClassFeatures {
        let classes: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] > 0).collect();
        let d = self.weight.columns;
        let rows = if counts.iter().sum::<usize>() == 1 {
            let rows = (0..counts.len()).map(|c| self.weight_gradient.row(c).iter().copied());
            only_feature(rows, &self.bias_gradient, d).unwrap_or_else(|| vec![0.0; d])
        } else {
            classes.iter().flat_map(|&c| self.quotient(c)).collect()
        };
        let features = Matrix::new(classes.len(), d, rows);
        let residual = self.residual(&self.mixture(&classes, &features, counts), &features);
        ClassFeatures { classes, features, rounds: 0, residual }
    }

    /// ∇W_c/∇b_c, `(d)`. A class whose samples and predictions cancel leaves nothing to divide by: its feature is not known.
    fn quotient(&self, class: usize) -> Vec<f64> {
        let by = self.bias_gradient[class];
        let row = self.weight_gradient.row(class).iter();
        row.map(|w| if by == 0.0 { 0.0 } else { w / by }).collect()
    }

    /// The same, corrected for as long as the residual falls.
    ///
    /// # Errors
    /// A decomposition does not converge.
    pub fn refined(&self, counts: &[usize], rounds: Option<usize>) -> Result<ClassFeatures, NotConverged> {
        let mut best = self.class_features(counts);
        for _ in 0..rounds.unwrap_or(ROUNDS) {
            let mixture = self.mixture(&best.classes, &best.features, counts);
            let made = mixture.times(&best.features);
            let missing = Matrix::from_fn(made.rows, made.columns, |i, j| {
                self.weight_gradient.at(i, j) - made.at(i, j)
            });
            let step = pseudo_inverse(&mixture)?.times(&missing);
            let features =
                Matrix::from_fn(step.rows, step.columns, |i, j| best.features.at(i, j) + step.at(i, j));
            let residual = self.residual(&self.mixture(&best.classes, &features, counts), &features);
            if residual >= best.residual || residual.is_nan() {
                break;
            }
            best = ClassFeatures { features, residual, rounds: best.rounds + 1, ..best };
        }
        Ok(best)
    }

    /// M `(K, C)` for the predictions of these features.
    fn mixture(&self, classes: &[usize], features: &Matrix, counts: &[usize]) -> Matrix {
        let batch: usize = counts.iter().sum();
        let columns: Vec<Vec<f64>> = classes
            .iter()
            .enumerate()
            .map(|(i, &c)| {
                let mut p = self.predict(features.row(i));
                p[c] -= 1.0;
                p.iter().map(|p| p * counts[c] as f64 / batch as f64).collect()
            })
            .collect();
        Matrix::of_columns(&columns)
    }

    /// softmax(W·h + b), `(K)`.
    pub fn predict(&self, feature: &[f64]) -> Vec<f64> {
        let logits = self.weight.times_vector(feature);
        predicted(&logits.iter().zip(&self.bias).map(|(z, b)| z + b).collect::<Vec<_>>())
    }

    fn residual(&self, mixture: &Matrix, features: &Matrix) -> f64 {
        let made = mixture.times(features);
        let pairs = made.values.iter().zip(&self.weight_gradient.values);
        let apart: f64 = pairs.map(|(m, g)| (m - g).powi(2)).sum();
        apart.sqrt() / self.weight_gradient.norm().max(f64::MIN_POSITIVE)
    }
}

impl ClassFeatures {
    /// Means of the pictures of each class; `labels`: rising, one a picture.
    fn of_pictures(labels: &[usize], found: &PictureFeatures) -> ClassFeatures {
        let mut classes = labels.to_vec();
        classes.dedup();
        let mean = |class: usize| -> Vec<f64> {
            let own: Vec<usize> = (0..labels.len()).filter(|&s| labels[s] == class).collect();
            let column = |j| own.iter().map(|&s| found.features.at(s, j)).sum::<f64>() / own.len() as f64;
            (0..found.features.columns).map(column).collect()
        };
        let rows: Vec<f64> = classes.iter().flat_map(|&class| mean(class)).collect();
        let features = Matrix::new(classes.len(), found.features.columns, rows);
        ClassFeatures { classes, features, rounds: 0, residual: found.residual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_picture_is_found_where_the_victim_is_so_sure_that_its_own_row_is_zero() {
        let feature = [0.5, 2.0, 0.0, 1.25];
        // p = (1 − 3e-8, 2e-8, 1e-8): in f32, p₀ − 1 is 0.
        let bias_gradient = vec![0.0, 2e-8, 1e-8];
        let outer = |i: usize, j: usize| bias_gradient[i] * feature[j];
        let layer = LastLayer64 {
            weight: Matrix::from_fn(3, 4, |i, j| (i * 4 + j) as f64 / 10.0),
            bias: vec![0.0; 3],
            weight_gradient: Matrix::from_fn(3, 4, outer),
            bias_gradient: bias_gradient.clone(),
        };
        let found = layer.class_features(&[1, 0, 0]);
        assert_eq!(found.classes, [0]);
        assert!(found.features.values.iter().zip(&feature).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        // Two pictures of the class: its row says nothing, and no other is taken for it.
        assert_eq!(layer.class_features(&[2, 0, 0]).features.values, [0.0; 4]);
    }
}
