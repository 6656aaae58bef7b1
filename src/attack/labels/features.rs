//! What the gradient of the last layer says about the features that entered it.

use faer::Mat;

use super::LastLayer;

/// Below this share of the largest |∇b|, the rounding of f32 leaves nothing of ∇b_j to divide by.
const SMALLEST_SHARE: f64 = 1e-6;

/// ē: the mean feature of the batch as the classes with ∇b > 0 see it, Σ ∇W_c / Σ ∇b_c over them. For
/// classes that are not in the batch, this is an average of its features weighted by their predictions.
pub fn mean_feature(layer: &LastLayer, bias_gradient: &[f32]) -> Vec<f64> {
    let (mut sum, mut weight) = (vec![0.0; layer.features()], 0.0);
    for (row, &b) in layer.rows().zip(bias_gradient).filter(|(_, b)| **b > 0.0) {
        weight += f64::from(b);
        sum.iter_mut().zip(row).for_each(|(s, &w)| *s += f64::from(w));
    }
    // Where no ∇b is above 0 there is no row in the sum either.
    sum.iter_mut().for_each(|s| *s /= weight.max(f64::from(f32::MIN_POSITIVE)));
    sum
}

/// ê_j = ∇W_j/∇b_j in column `j` of `(d, K)`: the mean feature of class j in the batch; of a class that is
/// not in it, the batch's features weighted by their predictions. ē where ∇b_j ≈ 0.
pub fn class_features(layer: &LastLayer, bias_gradient: &[f32]) -> Mat<f64> {
    let mean = mean_feature(layer, bias_gradient);
    let largest = bias_gradient.iter().fold(0.0, |a: f64, &b| a.max(f64::from(b).abs()));
    let smallest = (SMALLEST_SHARE * largest).max(f64::from(f32::MIN_POSITIVE));
    let features = layer.features();
    let variant: usize = std::env::var("V").ok().and_then(|v| v.parse().ok()).unwrap_or(0);
    let batch: f64 = std::env::var("BATCH").ok().and_then(|v| v.parse().ok()).unwrap_or(1.0);
    let mut m = Mat::from_fn(features, layer.classes, |i, j| {
        let b = f64::from(bias_gradient[j]);
        let w = f64::from(layer.weight_gradient[j * features + i]);
        if b.abs() < smallest || variant == 4 || (variant == 1 && b.abs() * batch < 0.5) {
            mean[i]
        } else {
            w / b
        }
    });
    let dist =
        |m: &Mat<f64>, j: usize| (0..features).map(|i| (m[(i, j)] - mean[i]).powi(2)).sum::<f64>().sqrt();
    let (mut s, mut n) = (0.0, 0.0);
    for j in 0..layer.classes {
        let b = f64::from(bias_gradient[j]);
        if b < 0.0 {
            s += -b * dist(&m, j);
            n += -b;
        }
    }
    let rho = s / n;
    for j in 0..layer.classes {
        let r = dist(&m, j);
        let t = match variant {
            3 => (rho / r).min(1.0),
            8 => (2.0 * rho / r).min(1.0),
            9 => (1.5 * rho / r).min(1.0),
            5 => (rho / r).min(1.0).powi(2),
            6 => {
                let x = bias_gradient[j].abs() as f64 * batch;
                x / (x + 1.0)
            }
            _ => 1.0,
        };
        for i in 0..features {
            m[(i, j)] = mean[i] + t * (m[(i, j)] - mean[i]);
            if variant == 2 || variant == 7 {
                m[(i, j)] = m[(i, j)].max(0.0);
            }
            if variant == 7 {
                m[(i, j)] = m[(i, j)].min(4.0 * mean[i]);
            }
        }
    }
    m
}

/// P_j = softmax(W·ê_j + b) in column `j` of `(K, K)`.
pub fn predictions(weight: &[f32], bias: &[f32], features: &Mat<f64>) -> Mat<f64> {
    let d = features.nrows();
    let weight = Mat::from_fn(d, bias.len(), |i, c| f64::from(weight[c * d + i]));
    let mut logits = weight.transpose() * features;
    for column in logits.col_iter_mut() {
        softmax(column.try_as_col_major_mut().expect("a whole column").as_slice_mut(), bias);
    }
    logits
}

/// logits + bias → softmax, in place.
fn softmax(logits: &mut [f64], bias: &[f32]) {
    logits.iter_mut().zip(bias).for_each(|(l, &b)| *l += f64::from(b));
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    logits.iter_mut().for_each(|l| *l = (*l - largest).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|l| *l /= sum);
}
