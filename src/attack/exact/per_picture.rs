//! The feature of each picture, from the last layer's gradient and the labels alone.
//!
//! With the features H `(B, d)` and E = softmax(H·Wᵀ + b) − Y, the gradient is ∇W = Eᵀ·H/B and ∇b = Eᵀ·1/B. Where there
//! are fewer pictures than classes, the features lie in the row space of ∇W: H = C·R for its right singular vectors R
//! `(r, d)`, r = B. So the B² numbers in C are all that is open, and ∇W·Rᵀ and ∇b are K·(B + 1) equations for them, of
//! which (K − 1)·(B + 1) say something. Levenberg's and Marquardt's steps from a few random starts about the mean feature
//! solve them, whatever the activation, and whether the victim is trained or not.
//!
//! Where nothing solves them to rounding, and with as many pictures as classes, where r = K − 1 leaves more open than is
//! said, the mean over the better half of the starts stands for all that fits.

use rayon::prelude::*;

use super::{
    features::LastLayer64,
    matrix::{Matrix, NotConverged, Svd, dot, gram, norm, product_transposed, solve_definite, svd},
};
use crate::{attack::labels::softmax, random};

/// Starts of a batch that can be solved at most …
const STARTS: usize = 8;
/// … of which so many are made at once; as many of a batch that cannot.
const AT_ONCE: usize = 4;
/// Spread of the starts about the mean feature, in shares of its length.
const SPREADS: [f64; 2] = [0.3, 0.6];
/// Steps of one start.
const STEPS: usize = 40;
/// A step that lowers the residual by less than this share ends a start.
const PROGRESS: f64 = 1e-4;
/// A residual below this, as a share of the gradient, is solved to rounding: f32 leaves 1e-8, about.
const SOLVED: f64 = 1e-6;
/// Below this there is nothing left to gain in f64.
const EXACT: f64 = 1e-13;
/// Damping that is tried for a step.
const DAMPINGS: usize = 8;
/// Multiplications of one step up to which it is done, where a first start solves it, as a rule, and where all are needed: a
/// batch of sixteen and ten classes has two million.
const MOST_WORK: [usize; 2] = [30_000_000, 4_000_000];

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureFeatures {
    /// `(B, d)`, in the order of the labels; those of one label in nobody's.
    pub features: Matrix,
    /// What is left of ∇W and ∇b, as a share: 1e-8, about, where all is solved.
    pub residual: f64,
}

/// Features of the pictures with these labels; `None` where there are too many for the time that this may take.
///
/// # Errors
/// A gradient whose decomposition does not converge.
pub fn per_picture(layer: &LastLayer64, labels: &[usize]) -> Result<Option<PictureFeatures>, NotConverged> {
    let (batch, classes) = (labels.len(), layer.bias.len());
    let width = batch.min(classes.saturating_sub(1)).min(layer.weight.columns);
    let work = (classes * (width + 1)).saturating_mul((batch * width).saturating_pow(2));
    if width == 0 || work > MOST_WORK[usize::from(batch > width)] {
        return Ok(None);
    }
    let Svd { v, s, .. } = svd(&layer.weight_gradient)?;
    if s[0] == 0.0 {
        return Ok(None);
    }
    let span = v.first_columns(width);
    let system = System::new(layer, &span, labels);
    let mut all: Vec<(f64, Matrix)> = vec![];
    let starts = if batch > width { AT_ONCE } else { STARTS };
    for first in (0..starts).step_by(AT_ONCE) {
        let starts = (first..first + AT_ONCE).into_par_iter();
        let found: Vec<(f64, Matrix)> = starts.map(|start| system.solve(system.start(start))).collect();
        all.extend(found.into_iter().filter(|(residual, _)| residual.is_finite()));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        if batch == width && all.first().is_some_and(|(residual, _)| *residual < SOLVED) {
            all.truncate(1);
            break;
        }
    }
    let Some(&(residual, _)) = all.first() else { return Ok(None) };
    all.truncate(all.len().div_ceil(2));
    let mut mean = Matrix::new(batch, width, vec![0.0; batch * width]);
    for (_, coordinates) in &all {
        let pairs = mean.values.iter_mut().zip(&coordinates.values);
        pairs.for_each(|(mean, c)| *mean += c / all.len() as f64);
    }
    Ok(Some(PictureFeatures { features: mean.times(&span.transposed()), residual }))
}

/// The equations in C.
struct System {
    /// W·Rᵀ `(K, r)`
    response: Matrix,
    bias: Vec<f64>,
    /// ∇W·Rᵀ with ∇b as its last column, `(K, r + 1)`.
    target: Matrix,
    size: f64,
    labels: Vec<usize>,
    /// The batch's mean feature in R's coordinates.
    mean: Vec<f64>,
}

impl System {
    fn new(layer: &LastLayer64, span: &Matrix, labels: &[usize]) -> System {
        let (response, inner) = (layer.weight.times(span), layer.weight_gradient.times(span));
        let width = span.columns;
        let target = Matrix::from_fn(inner.rows, width + 1, |k, j| match j < width {
            true => inner.at(k, j),
            false => layer.bias_gradient[k],
        });
        let mean = layer.mean_feature();
        let mean = (0..width).map(|j| dot(&span.column(j), &mean)).collect();
        let size = target.norm();
        System { response, bias: layer.bias.clone(), target, size, labels: labels.to_vec(), mean }
    }

    /// C about the mean feature.
    fn start(&self, number: usize) -> Matrix {
        let (batch, width) = (self.labels.len(), self.mean.len());
        let draws = random::normal(&mut random::generator(number as u64, "features"), batch * width);
        let spread = SPREADS[number % SPREADS.len()] * norm(&self.mean) / (width as f64).sqrt();
        Matrix::from_fn(batch, width, |i, j| self.mean[j] + spread * f64::from(draws[i * width + j]))
    }

    /// P `(B, K)`
    fn predictions(&self, coordinates: &Matrix) -> Matrix {
        let mut logits = coordinates.times(&self.response.transposed());
        for row in logits.values.chunks_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(z, b)| *z += b);
            softmax(row);
        }
        logits
    }

    /// Eᵀ·[C, 1]/B − target, row-major `(K, r + 1)`.
    fn residual(&self, coordinates: &Matrix, predictions: &Matrix) -> Vec<f64> {
        let columns = self.target.columns;
        let mut rest: Vec<f64> = self.target.values.iter().map(|t| -t).collect();
        for (s, &label) in self.labels.iter().enumerate() {
            for (k, row) in rest.chunks_mut(columns).enumerate() {
                let error = self.error(predictions, s, k, label);
                row.iter_mut().zip(coordinates.row(s)).for_each(|(r, c)| *r += error * c);
                row[columns - 1] += error;
            }
        }
        rest
    }

    /// (p − y)/B
    fn error(&self, predictions: &Matrix, s: usize, k: usize, label: usize) -> f64 {
        (predictions.at(s, k) - f64::from(u8::from(k == label))) / self.labels.len() as f64
    }

    /// Derivative of the residual by C, `(K·(r + 1), B·r)`.
    fn jacobian(&self, coordinates: &Matrix, predictions: &Matrix) -> Matrix {
        let (batch, width, classes) = (self.labels.len(), self.mean.len(), self.bias.len());
        let (rows, columns) = (classes * (width + 1), batch * width);
        let mut jacobian = Matrix::new(rows, columns, vec![0.0; rows * columns]);
        for (s, &label) in self.labels.iter().enumerate() {
            let row = predictions.row(s);
            let mean: Vec<f64> = (0..width)
                .map(|j| row.iter().enumerate().map(|(k, p)| p * self.response.at(k, j)).sum())
                .collect();
            for (k, prediction) in row.iter().enumerate() {
                let error = self.error(predictions, s, k, label);
                for (j, mean) in mean.iter().enumerate() {
                    let moved = prediction * (self.response.at(k, j) - mean) / batch as f64;
                    let place = |l: usize| (k * (width + 1) + l) * columns + s * width + j;
                    (0..width).for_each(|l| jacobian.values[place(l)] = moved * coordinates.at(s, l));
                    jacobian.values[place(j)] += error;
                    jacobian.values[place(width)] = moved;
                }
            }
        }
        jacobian
    }

    /// The share of the gradient that is left, and C.
    fn solve(&self, mut coordinates: Matrix) -> (f64, Matrix) {
        let (batch, width) = (self.labels.len(), self.mean.len());
        let mut predictions = self.predictions(&coordinates);
        let mut rest = self.residual(&coordinates, &predictions);
        let mut left = norm(&rest);
        let mut damping = 1e-2;
        for _ in 0..STEPS {
            let jacobian = self.jacobian(&coordinates, &predictions);
            let shape = [jacobian.rows, jacobian.columns];
            let normal = gram(&jacobian);
            let right =
                product_transposed(&jacobian.values, shape, &Matrix::new(rest.len(), 1, rest.clone()));
            let largest = (0..shape[1]).map(|i| normal.at(i, i)).fold(0.0, f64::max);
            let mut taken = None;
            for _ in 0..DAMPINGS {
                let mut damped = normal.clone();
                for i in 0..shape[1] {
                    damped.values[i * shape[1] + i] += damping * normal.at(i, i).max(1e-9 * largest);
                }
                if let Ok(step) = solve_definite(&damped, &right) {
                    let tried = Matrix::from_fn(batch, width, |i, j| {
                        coordinates.at(i, j) - step.values[i * width + j]
                    });
                    let after = self.predictions(&tried);
                    let remaining = self.residual(&tried, &after);
                    if norm(&remaining) < left {
                        taken = Some((tried, after, remaining));
                        break;
                    }
                }
                damping *= 5.0;
            }
            let Some(next) = taken else { break };
            (coordinates, predictions, rest) = next;
            damping = (damping / 5.0).max(1e-13);
            let before = std::mem::replace(&mut left, norm(&rest));
            if left < EXACT * self.size || before - left < PROGRESS * before {
                break;
            }
        }
        (left / self.size.max(f64::MIN_POSITIVE), coordinates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: usize, columns: usize, purpose: &str) -> Matrix {
        let values = random::normal(&mut random::generator(4, purpose), rows * columns);
        Matrix::new(rows, columns, values.into_iter().map(f64::from).collect())
    }

    /// A last layer, features `(B, 30)` and their gradient.
    fn layer(classes: usize, labels: &[usize]) -> (LastLayer64, Matrix) {
        let mut features = drawn(labels.len(), 30, "pictures");
        features.values.iter_mut().for_each(|h| *h = h.max(0.0) + 0.1);
        let mut weight = drawn(classes, 30, "weight");
        weight.values.iter_mut().for_each(|w| *w *= 0.3);
        let mut layer = LastLayer64 {
            weight_gradient: Matrix::new(classes, 30, vec![0.0; classes * 30]),
            bias: drawn(1, classes, "bias").values,
            bias_gradient: vec![0.0; classes],
            weight,
        };
        let share = 1.0 / labels.len() as f64;
        for (s, &label) in labels.iter().enumerate() {
            let mut error = layer.predict(features.row(s));
            error[label] -= 1.0;
            for (k, e) in error.into_iter().enumerate() {
                layer.bias_gradient[k] += share * e;
                (0..30)
                    .for_each(|j| layer.weight_gradient.values[30 * k + j] += share * e * features.at(s, j));
            }
        }
        (layer, features)
    }

    #[test]
    fn every_picture_of_a_class_has_a_feature_of_its_own() {
        let labels = [1, 1, 4, 7];
        let (layer, truth) = layer(8, &labels);
        let found = per_picture(&layer, &labels).unwrap().unwrap();
        assert!(found.residual < 1e-10, "{}", found.residual);
        // Two of one label are in nobody's order.
        let near = |i: usize, j: usize| norm(&apart(found.features.row(i), truth.row(j))) < 1e-6;
        assert!(near(2, 2) && near(3, 3), "{:?}", found.features);
        assert!(near(0, 0) && near(1, 1) || near(0, 1) && near(1, 0), "{:?}", found.features);
    }

    #[test]
    fn as_many_pictures_as_classes_leave_an_estimate() {
        let labels = [0, 1, 2, 3, 3];
        let (layer, truth) = layer(4, &labels);
        let found = per_picture(&layer, &labels).unwrap().unwrap();
        assert!(found.residual < 1e-3, "{}", found.residual);
        let (plain, counts) = (layer.class_features(&[1, 1, 1, 2]), 3);
        let error = |features: &Matrix| -> f64 {
            (0..counts).map(|i| norm(&apart(features.row(i), truth.row(i)))).sum()
        };
        assert!(
            error(&found.features) < 0.7 * error(&plain.features),
            "{} {}",
            error(&found.features),
            error(&plain.features)
        );
        let many = vec![0; 400];
        assert_eq!(per_picture(&layer, &many), Ok(None));
    }

    fn apart(a: &[f64], b: &[f64]) -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| a - b).collect()
    }
}
