//! iLRG (Ma 2023): label counts, duplicates included, from a linear system.
//!
//! By the identity of this module's parent, `B·∇b_i = Σ_j n_j·p̄_j[i] − n_i` with p̄_j the mean softmax of
//! class j's samples. p̄_j is estimated as P_j = softmax(W·m_j + b) of the class's mean feature m_j, twice: from all rows
//! ([`class_means`]), and as in the paper, ∇W_j/∇b_j, which is better where a batch has few pictures a class and their features
//! differ much: the paper's is taken where its solution comes much nearer to whole numbers and the victim does not look trained.
//! That leaves C+1 equations for C counts:
//!
//! `Σ_j n_j = B`, and for every class i: `Σ_j n_j·P_j[i] − n_i = B·∇b_i`.
//!
//! On a trained victim the method is wrong by design: where P_j[j] → 1, column j of the system goes to 0.

use faer::Mat;

use super::{
    LabelError, LastLayer, Method, Restored, class_means::predictions_of_classes, features::class_features,
    predictions::predictions, rounding::largest_remainder,
};

/// The time of a singular value decomposition grows with the cube of the classes: a minute, about, at this.
const MAX_CLASSES: usize = 4096;

/// Singular values below this share of the largest are noise: the gradient is in f32.
const RANK_TOLERANCE: f64 = f32::EPSILON as f64;

/// The paper's estimate is taken where its solution is so much nearer to whole numbers than that of all rows.
const MUCH_NEARER: f64 = 2.0;

/// A solution is far from its counts when it is half-way to where it could as well be rounded otherwise.
const FAR: f64 = 0.25;

pub(crate) fn restore(layer: &LastLayer, batch: usize) -> Result<Restored, LabelError> {
    let method = Method::Ilrg;
    let bias_gradient = layer.bias_gradient.ok_or(LabelError::NoBias { method })?;
    let weight = layer.weight.ok_or(LabelError::NoWeights { method, tensor: "weight" })?;
    let bias = layer.bias.ok_or(LabelError::NoWeights { method, tensor: "bias" })?;
    if layer.classes > MAX_CLASSES {
        return Err(LabelError::TooManyClasses { method, limit: MAX_CLASSES, found: layer.classes });
    }
    // What a trained victim says of its classes shows in single rows.
    let by_row = predictions(weight, bias, &class_features(layer, bias_gradient));
    let agreement = agreement(&by_row, bias_gradient);
    let by_all_rows = predictions_of_classes(layer, (weight, bias), bias_gradient, batch);
    let [by_all_rows, by_row] =
        [by_all_rows, by_row].map(|predicted| Solved::new(&predicted, bias_gradient, batch));
    let is_trained = agreement > trained(layer.classes);
    let solved = match (by_all_rows, by_row) {
        (Some(all), Some(row)) if !is_trained && MUCH_NEARER * row.apart < all.apart => Some(row),
        (all, row) => all.or(row),
    };
    let Some(Solved { real, counts, residual, .. }) = solved else {
        return Err(LabelError::NotConverged { method, classes: layer.classes });
    };
    let distance = counts.iter().zip(&real).map(|(&n, r)| (r - n as f64).abs()).fold(0.0, f64::max);
    let confidence = confidence(layer.classes, residual, distance, agreement);
    let mut warnings = vec![];
    if is_trained {
        warnings.push(format!(
            "the victim gives the classes that are in the batch {agreement:.2} on average, as a trained one \
             does: iLRG is wrong by design on a saturated softmax"
        ));
    }
    if distance > FAR {
        warnings.push(format!(
            "the solution is up to {distance:.2} away from its counts, so some of them may be wrong: the \
             victim's predictions for the samples of a class differ too much for one to stand for all"
        ));
    }
    Ok(Restored { method, counts, real, confidence: Some(confidence), warnings })
}

/// The system solved with one estimate of what is predicted for the samples of each class.
struct Solved {
    real: Vec<f64>,
    counts: Vec<usize>,
    /// See [`residual`].
    residual: f64,
    /// Σ (real − count)²: counts are whole numbers, so an estimate that comes much nearer to them is right, as a rule.
    apart: f64,
}

impl Solved {
    fn new(predicted: &Mat<f64>, bias_gradient: &[f32], batch: usize) -> Option<Solved> {
        let right = faer::Col::from_fn(predicted.ncols() + 1, |row| match row {
            0 => batch as f64,
            row => batch as f64 * f64::from(bias_gradient[row - 1]),
        });
        let [real] = solve(predicted, [right])?;
        let counts = largest_remainder(&real, batch);
        let apart = counts.iter().zip(&real).map(|(&n, r)| (r - n as f64).powi(2)).sum();
        Some(Solved { residual: residual(predicted, bias_gradient, batch, &real), real, counts, apart })
    }
}

/// The least-squares solutions of least norm: the pseudo-inverse of the system times its right sides `(K+1)`, the sum
/// of the counts and then B·∇b.
pub(super) fn solve<const N: usize>(
    predictions: &Mat<f64>,
    right: [faer::Col<f64>; N],
) -> Option<[Vec<f64>; N]> {
    let classes = predictions.ncols();
    let system = Mat::from_fn(classes + 1, classes, |row, j| match row {
        0 => 1.0,
        row => predictions[(row - 1, j)] - if row - 1 == j { 1.0 } else { 0.0 },
    });
    let svd = system.thin_svd().ok()?;
    let singular = svd.S().column_vector();
    Some(right.map(|right| {
        let mut coordinates = svd.U().transpose() * right;
        for (c, &s) in coordinates.iter_mut().zip(singular.iter()) {
            *c = if s > RANK_TOLERANCE * singular[0] { *c / s } else { 0.0 };
        }
        (svd.V() * coordinates).iter().copied().collect()
    }))
}

/// What the victim gives the true class, on average over the classes with ∇b < 0: those are in the batch.
fn agreement(predictions: &Mat<f64>, bias_gradient: &[f32]) -> f64 {
    let present = (0..bias_gradient.len()).filter(|&j| bias_gradient[j] < 0.0);
    let (sum, n) = present.fold((0.0, 0), |(sum, n), j| (sum + predictions[(j, j)], n + 1));
    sum / f64::from(n.max(1))
}

/// The agreement from which a victim counts as trained: half-way from a uniform prediction to a certain one.
pub(super) fn trained(classes: usize) -> f64 {
    0.5 + 0.5 / classes as f64
}

/// ‖P·n − n − B·∇b‖ / ‖B·∇b‖: what the solution leaves of the equations.
fn residual(predictions: &Mat<f64>, bias_gradient: &[f32], batch: usize, real: &[f64]) -> f64 {
    let right = |i: usize| batch as f64 * f64::from(bias_gradient[i]);
    let predicted = predictions * faer::Col::from_fn(real.len(), |j| real[j]);
    let norm = |value: &dyn Fn(usize) -> f64| (0..real.len()).map(|i| value(i).powi(2)).sum::<f64>().sqrt();
    let size = norm(&right);
    if size > 0.0 { norm(&|i| predicted[i] - real[i] - right(i)) / size } else { 1.0 }
}

/// The product of three shares, each from 1 down to 0:
/// - the equations hold: 1 − residual;
/// - the solution is whole numbers: 1 − 2·max|real − count|, 0 where a count is as far as the next one;
/// - the victim is not trained: 1 up to the agreement that gives a warning, 0 at an agreement of 1.
fn confidence(classes: usize, residual: f64, distance: f64, agreement: f64) -> f64 {
    let untrained = (1.0 - agreement) / (1.0 - trained(classes));
    [1.0 - residual, 1.0 - 2.0 * distance, untrained].map(|share| share.clamp(0.0, 1.0)).iter().product()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            LabelMetrics,
            synthetic::{Synthetic, positive_features, random_labels},
        },
        *,
    };

    fn batch(classes: usize, d: usize, batch: usize, bound: f32, seed: u64) -> Synthetic {
        let labels = random_labels(batch, classes, seed);
        Synthetic::new(classes, bound, &positive_features(&labels, d, seed), &labels, seed)
    }

    #[test]
    fn duplicates_are_counted() {
        for (classes, d, size) in [(10, 32, 8), (100, 64, 24), (100, 84, 128), (2, 16, 3)] {
            for seed in 0..4 {
                let synthetic = batch(classes, d, size, 0.1, seed);
                let restored = restore(&synthetic.layer(), size).unwrap();
                assert_eq!(restored.counts, synthetic.counts, "K {classes}, B {size}, seed {seed}");
                assert!(restored.confidence > Some(0.3), "{:?}", restored.confidence);
                assert!(size > classes || restored.warnings.is_empty(), "{:?}", restored.warnings);
            }
        }
    }

    /// Their ∇b_j all but cancel, so that single rows say nothing; together they do.
    #[test]
    fn more_samples_than_classes_are_counted_where_features_differ() {
        let (mut right, mut by_rows) = (0.0, 0.0);
        for seed in 0..10 {
            let labels = random_labels(24, 10, seed);
            let mut features = positive_features(&labels, 64, seed);
            let factors = crate::random::uniform(&mut crate::random::generator(seed, "factors"), 0.5, 24);
            features.iter_mut().zip(factors).for_each(|(x, f)| x.iter_mut().for_each(|x| *x *= 1.0 + f));
            let synthetic = Synthetic::new(10, 0.2, &features, &labels, seed);
            let layer = synthetic.layer();
            right += LabelMetrics::new(&restore(&layer, 24).unwrap().counts, &synthetic.counts).ln_acc / 10.0;
            let (weight, bias) = (layer.weight.unwrap(), layer.bias.unwrap());
            let gradient = layer.bias_gradient.unwrap();
            let single = predictions(weight, bias, &class_features(&layer, gradient));
            let sums = faer::Col::from_fn(11, |row| match row {
                0 => 24.0,
                row => 24.0 * f64::from(gradient[row - 1]),
            });
            let [real] = solve(&single, [sums]).unwrap();
            by_rows += LabelMetrics::new(&largest_remainder(&real, 24), &synthetic.counts).ln_acc / 10.0;
        }
        assert!(right >= 0.9 && right >= by_rows + 0.15, "{right}, of ∇W_j/∇b_j {by_rows}");
    }

    #[test]
    fn features_may_be_negative() {
        let labels = [1, 1, 5, 8];
        let mut features = positive_features(&labels, 64, 1);
        features.iter_mut().flatten().for_each(|x| *x -= 0.4);
        let synthetic = Synthetic::new(10, 0.1, &features, &labels, 1);
        assert_eq!(restore(&synthetic.layer(), 4).unwrap().counts, synthetic.counts);
    }

    #[test]
    fn the_real_solution_is_near_the_counts() {
        let synthetic = batch(100, 64, 24, 0.1, 1);
        let restored = restore(&synthetic.layer(), 24).unwrap();
        for (real, &count) in restored.real.iter().zip(&synthetic.counts) {
            assert!((real - count as f64).abs() < 0.05, "{real} for {count}");
        }
        assert!((restored.real.iter().sum::<f64>() - 24.0).abs() < 1e-3);
        assert!(restored.confidence > Some(0.9));
    }

    #[test]
    fn classes_that_cancel_in_the_gradient_do_not_carry_it_off() {
        let synthetic = batch(100, 84, 512, 0.1, 1);
        let restored = restore(&synthetic.layer(), 512).unwrap();
        assert!(LabelMetrics::new(&restored.counts, &synthetic.counts).irec > 0.98);
    }

    #[test]
    fn a_trained_victim_is_flagged() {
        let (labels, d) = ([0, 0, 3, 7], 40);
        let features = positive_features(&labels, d, 3);
        let row = |class: usize| {
            labels.iter().position(|&l| l == class).map_or(vec![0.0; d], |s| features[s].clone())
        };
        let weight = (0..10).flat_map(row).collect();
        let synthetic = Synthetic::of_layer(weight, vec![0.0; 10], &features, &labels);
        let restored = restore(&synthetic.layer(), 4).unwrap();
        assert!(restored.warnings[0].contains("trained"), "{:?}", restored.warnings);
        assert!(restored.confidence < Some(0.5), "{:?}", restored.confidence);
    }

    #[test]
    fn a_gradient_of_huge_range_gives_an_answer() {
        let layer_of = |weight_gradient: &[f32], bias_gradient: &[f32]| {
            let (weight, bias) = ([3e38, -3e38, 1.0, 0.0, 1e-38, 0.0], [0.0; 3]);
            let layer = LastLayer::new(3, weight_gradient, Some(bias_gradient)).unwrap();
            let restored = restore(&layer.with_weights(&weight, Some(&bias)).unwrap(), 5).unwrap();
            assert_eq!(restored.counts.iter().sum::<usize>(), 5);
            assert!(restored.real.iter().all(|r| r.is_finite()), "{restored:?}");
            assert!(restored.confidence.is_some_and(|c| (0.0..=1.0).contains(&c)));
        };
        layer_of(&[3e38; 6], &[1e-45, -3e38, 3e38]);
        layer_of(&[1e-45; 6], &[1e-45, -1e-45, 0.0]);
        layer_of(&[1.0; 6], &[0.0; 3]);
    }

    #[test]
    fn missing_tensors_are_named() {
        let method = Method::Ilrg;
        let layer = LastLayer::new(2, &[0.5, -0.5], None).unwrap();
        assert_eq!(restore(&layer, 1), Err(LabelError::NoBias { method }));
        let layer = LastLayer::new(2, &[0.5, -0.5], Some(&[0.5, -0.5])).unwrap();
        assert_eq!(restore(&layer, 1), Err(LabelError::NoWeights { method, tensor: "weight" }));
        let layer = layer.with_weights(&[0.0, 0.0], None).unwrap();
        assert_eq!(restore(&layer, 1), Err(LabelError::NoWeights { method, tensor: "bias" }));
    }
}
