//! iLRG (Ma 2023): label counts, duplicates included, from a linear system.
//!
//! By the identity of this module's parent, B·∇b_i = Σ_j n_j·p̄_j[i] − n_i with p̄_j the mean softmax of class
//! j's samples. p̄_j is estimated as P_j = softmax(W·ê_j + b), with ê_j = ∇W_j/∇b_j. That leaves C+1 equations
//! for C counts:
//!
//! Σ_j n_j = B, and for every class i: Σ_j n_j·P_j[i] − n_i = B·∇b_i.
//!
//! On a trained victim the method is wrong by design: where P_j[j] → 1, column j of the system goes to 0.

use faer::Mat;

use super::{
    LabelError, LastLayer, Method, Restored,
    features::{class_features, predictions},
    rounding::largest_remainder,
};

/// The time of a singular value decomposition grows with the cube of the classes: a minute, about, at this.
const MAX_CLASSES: usize = 4096;

/// Singular values below this share of the largest are noise: the gradient is in f32.
const RANK_TOLERANCE: f64 = f32::EPSILON as f64;

pub fn restore(layer: &LastLayer, batch: usize) -> Result<Restored, LabelError> {
    let method = Method::Ilrg;
    let bias_gradient = layer.bias_gradient.ok_or(LabelError::NoBias { method })?;
    let weight = layer.weight.ok_or(LabelError::NoWeights { method, tensor: "weight" })?;
    let bias = layer.bias.ok_or(LabelError::NoWeights { method, tensor: "bias" })?;
    if layer.classes > MAX_CLASSES {
        return Err(LabelError::TooManyClasses { method, limit: MAX_CLASSES, found: layer.classes });
    }
    let predictions = predictions(weight, bias, &class_features(layer, bias_gradient));
    let real = solve(&predictions, bias_gradient, batch)
        .ok_or(LabelError::NotConverged { method, classes: layer.classes })?;
    let counts = largest_remainder(&real, batch);
    let agreement = agreement(&predictions, bias_gradient);
    let residual = residual(&predictions, bias_gradient, batch, &real);
    let confidence = confidence(&counts, &real, residual, agreement);
    let mut warnings = vec![];
    if agreement > trained(layer.classes) {
        warnings.push(format!(
            "the victim is trained on such samples: it gives the classes of this batch {agreement:.2} on \
             average. iLRG is wrong by design on a saturated softmax"
        ));
    }
    Ok(Restored { method, counts, real, confidence: Some(confidence), warnings })
}

/// The least-squares solution of least norm: the pseudo-inverse of the system times its right side.
fn solve(predictions: &Mat<f64>, bias_gradient: &[f32], batch: usize) -> Option<Vec<f64>> {
    let classes = bias_gradient.len();
    let system = Mat::from_fn(classes + 1, classes, |row, j| match row {
        0 => 1.0,
        row => predictions[(row - 1, j)] - if row - 1 == j { 1.0 } else { 0.0 },
    });
    let batch = batch as f64;
    let right = faer::Col::from_fn(classes + 1, |row| match row {
        0 => batch,
        row => batch * f64::from(bias_gradient[row - 1]),
    });
    let svd = system.thin_svd().ok()?;
    let singular = svd.S().column_vector();
    let mut coordinates = svd.U().transpose() * right;
    for (c, &s) in coordinates.iter_mut().zip(singular.iter()) {
        *c = if s > RANK_TOLERANCE * singular[0] { *c / s } else { 0.0 };
    }
    Some((svd.V() * coordinates).iter().copied().collect())
}

/// What the victim gives the true class, on average over the classes with ∇b < 0: those are in the batch.
fn agreement(predictions: &Mat<f64>, bias_gradient: &[f32]) -> f64 {
    let present = (0..bias_gradient.len()).filter(|&j| bias_gradient[j] < 0.0);
    let (sum, n) = present.fold((0.0, 0), |(sum, n), j| (sum + predictions[(j, j)], n + 1));
    sum / f64::from(n.max(1))
}

/// The agreement from which a victim counts as trained: half-way from a uniform prediction to a certain one.
fn trained(classes: usize) -> f64 {
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
fn confidence(counts: &[usize], real: &[f64], residual: f64, agreement: f64) -> f64 {
    let distance = counts.iter().zip(real).map(|(&n, r)| (r - n as f64).abs()).fold(0.0, f64::max);
    let untrained = (1.0 - agreement) / (1.0 - trained(counts.len()));
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

    #[test]
    fn sweep() {
        for (k, d, b, bound) in [
            (100, 84, 128, 0.1),
            (100, 84, 512, 0.1),
            (100, 84, 1024, 0.1),
            (1000, 512, 64, 0.05),
            (10, 32, 8, 0.1f32),
            (100, 64, 24, 0.1),
            (100, 768, 128, 0.5),
            (100, 768, 512, 0.036),
            (100, 768, 1024, 0.036),
            (100, 768, 24, 0.5),
            (10, 768, 8, 0.5),
            (10, 768, 64, 0.036),
            (10, 64, 4, 2.0),
            (10, 64, 4, 1.0),
            (20, 64, 8, 1.0),
            (100, 64, 24, 1.0),
        ] {
            for v in [0, 3, 9, 8] {
                unsafe {
                    std::env::set_var("V", v.to_string());
                    std::env::set_var("BATCH", b.to_string());
                }
                let mut all = [0.0; 4];
                if k > 500 {
                    continue;
                };
                let n = if b < 30 { 40 } else { 5 };
                for seed in 0..n {
                    let labels = random_labels(b, k, seed);
                    let s = Synthetic::new(k, bound, &positive_features(&labels, d, seed), &labels, seed);
                    let r = restore(&s.layer(), b).unwrap();
                    let m = LabelMetrics::new(&r.counts, &s.counts);
                    for (a, v) in all.iter_mut().zip([m.le_acc, m.ln_acc, m.irec, r.confidence.unwrap()]) {
                        *a += v / n as f64
                    }
                }
                println!("K {k} d {d} B {b} W {bound} V{v}: {all:.3?}");
            }
        }
    }
}
