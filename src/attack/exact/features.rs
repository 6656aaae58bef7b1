//! The mean feature of each class in a batch, from the last layer's gradient.
//!
//! ê_c = ∇W_c/∇b_c is exact for one picture whatever the gradient's scale, and an estimate for more. Where the victim's
//! predictions vary little, it can be corrected: with P = softmax(W·ê + b) the gradient is ∇W = M·H for M = (Pᵀ −
//! E)·diag(n)/B, a column a class present. The H nearest to ê that fulfils it is the better estimate, and gives a better P.
//! On trained victims this diverges; then ê stays.

use super::{
    labels::softmax,
    matrix::{Matrix, NotConverged, pseudo_inverse},
};

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
    /// ê of the classes with samples, `counts` `(K)`.
    pub fn class_features(&self, counts: &[usize]) -> ClassFeatures {
        let classes: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] > 0).collect();
        let d = self.weight.columns;
        let features = Matrix::from_fn(classes.len(), d, |i, j| {
            let c = classes[i];
            // A class whose samples and predictions cancel leaves nothing to divide by: its feature is not known.
            if self.bias_gradient[c] == 0.0 {
                0.0
            } else {
                self.weight_gradient.at(c, j) / self.bias_gradient[c]
            }
        });
        let residual = self.residual(&self.mixture(&classes, &features, counts), &features);
        ClassFeatures { classes, features, rounds: 0, residual }
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
        softmax(&logits.iter().zip(&self.bias).map(|(z, b)| z + b).collect::<Vec<_>>())
    }

    fn residual(&self, mixture: &Matrix, features: &Matrix) -> f64 {
        let made = mixture.times(features);
        let pairs = made.values.iter().zip(&self.weight_gradient.values);
        let apart: f64 = pairs.map(|(m, g)| (m - g).powi(2)).sum();
        apart.sqrt() / self.weight_gradient.norm().max(f64::MIN_POSITIVE)
    }
}
