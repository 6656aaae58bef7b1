//! A ridge classifier on features of named pictures: what features are called, with no pixel in between.

use crate::attack::exact::matrix::{Matrix, NotDefinite, dot, gram, solve_definite};

/// Temperatures that are tried, from the sharpest to the softest.
const TEMPERATURES: usize = 60;

/// Features standardised, regression on one-hot names with an intercept, strength λ·N.
#[derive(Clone, Debug)]
pub struct Ridge {
    /// Of each feature, `(d)`.
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// `(d, N)`
    weights: Matrix,
    /// `(N)`
    intercept: Vec<f64>,
}

impl Ridge {
    /// From features `(M, d)` and the name of each, below `names`.
    ///
    /// # Errors
    /// λ = 0 and features that depend on each other.
    pub fn fit(
        features: &Matrix,
        labels: &[usize],
        names: usize,
        strength: f64,
    ) -> Result<Ridge, NotDefinite> {
        Ok(Ridge::fits(features, labels, names, &[strength])?.remove(0))
    }

    /// One a strength, from one product of the features.
    ///
    /// # Errors
    /// As of [`Ridge::fit`].
    pub fn fits(
        features: &Matrix,
        labels: &[usize],
        names: usize,
        strengths: &[f64],
    ) -> Result<Vec<Ridge>, NotDefinite> {
        let count = features.rows as f64;
        let columns: Vec<Vec<f64>> = (0..features.columns).map(|j| features.column(j)).collect();
        let mean: Vec<f64> = columns.iter().map(|c| c.iter().sum::<f64>() / count).collect();
        let deviation: Vec<f64> = columns
            .iter()
            .zip(&mean)
            .map(|(c, m)| (c.iter().map(|v| (v - m).powi(2)).sum::<f64>() / count).sqrt())
            .map(|s| if s > 0.0 { s } else { 1.0 })
            .collect();
        let x = Matrix::from_fn(features.rows, features.columns, |i, j| {
            (features.at(i, j) - mean[j]) / deviation[j]
        });
        let mut intercept = vec![0.0; names];
        labels.iter().for_each(|&label| intercept[label] += 1.0 / count);
        let y =
            Matrix::from_fn(features.rows, names, |i, k| f64::from(u8::from(labels[i] == k)) - intercept[k]);
        // (XᵀX + λN)⁻¹·Xᵀ = Xᵀ·(XXᵀ + λN)⁻¹: the smaller system.
        let turned = x.transposed();
        let is_dual = x.rows < x.columns;
        let (gram, right) = if is_dual { (gram(&turned), y) } else { (gram(&x), turned.times(&y)) };
        let fit = |&strength: &f64| {
            let mut regular = gram.clone();
            for j in 0..regular.columns {
                regular.values[j * gram.columns + j] += strength * count;
            }
            let solved = solve_definite(&regular, &right)?;
            let weights = if is_dual { turned.times(&solved) } else { solved };
            Ok(Ridge {
                mean: mean.clone(),
                deviation: deviation.clone(),
                weights,
                intercept: intercept.clone(),
            })
        };
        strengths.iter().map(fit).collect()
    }

    /// Scores of the names, `(N)`.
    pub fn scores(&self, feature: &[f64]) -> Vec<f64> {
        let standard = feature.iter().zip(&self.mean).zip(&self.deviation);
        let x: Vec<f64> = standard.map(|((v, m), s)| (v - m) / s).collect();
        (0..self.intercept.len()).map(|k| dot(&x, &self.weights.column(k)) + self.intercept[k]).collect()
    }

    /// The temperature at which softmax(scores/T) is most probable on features that were not fitted to.
    pub fn temperature(&self, features: &Matrix, labels: &[usize]) -> f64 {
        let scores: Vec<Vec<f64>> = (0..features.rows).map(|i| self.scores(features.row(i))).collect();
        let likelihood = |t: f64| -> f64 {
            scores.iter().zip(labels).map(|(s, &label)| log_probabilities(s, t)[label]).sum()
        };
        let tried = (0..TEMPERATURES).map(|i| 10f64.powf(-3.0 + 4.0 * i as f64 / TEMPERATURES as f64));
        tried.max_by(|&a, &b| likelihood(a).total_cmp(&likelihood(b))).unwrap_or(1.0)
    }
}

/// log softmax(scores/T)
pub fn log_probabilities(scores: &[f64], temperature: f64) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shifted: Vec<f64> = scores.iter().map(|s| (s - largest) / temperature).collect();
    let sum: f64 = shifted.iter().map(|s| s.exp()).sum();
    shifted.into_iter().map(|s| s - sum.ln()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clouds, told apart by two of four features.
    fn clouds(seed: u64) -> (Matrix, Vec<usize>) {
        let noise = crate::random::normal(&mut crate::random::generator(seed, "cloud"), 60 * 4);
        let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
        let centre = |i: usize, j: usize| if j == labels[i] { 5.0 } else { 0.0 };
        let features = Matrix::from_fn(60, 4, |i, j| centre(i, j) + f64::from(noise[4 * i + j]));
        (features, labels)
    }

    #[test]
    fn unseen_features_are_named_and_the_temperature_makes_scores_chances() {
        let (features, labels) = clouds(1);
        let ridge = Ridge::fit(&features, &labels, 3, 0.01).unwrap();
        let (other, truth) = clouds(2);
        let temperature = ridge.temperature(&other, &truth);
        let mut right = 0;
        for (i, &name) in truth.iter().enumerate() {
            let log = log_probabilities(&ridge.scores(other.row(i)), temperature);
            assert!((log.iter().map(|l| l.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
            right += usize::from((0..3).all(|k| log[k] <= log[name]));
        }
        assert!(right >= 58, "{right} of 60");
        assert!(temperature < 1.0, "{temperature}");
    }

    #[test]
    fn a_feature_that_never_changes_counts_for_nothing() {
        let (mut features, labels) = clouds(1);
        (0..60).for_each(|i| features.values[4 * i + 3] = 7.0);
        let ridge = Ridge::fit(&features, &labels, 3, 0.01).unwrap();
        let [near, far] = [7.0, 1e6].map(|last| ridge.scores(&[5.0, 0.0, 0.0, last]));
        assert!(near.iter().zip(&far).all(|(a, b)| (a - b).abs() < 1e-6), "{near:?} {far:?}");
    }
}
