//! The label of one sample, whatever the gradient's factor and the features' signs.
//!
//! ∇W = s·(p − e_y)·hᵀ and ∇b = s·(p − e_y) for one label y and one factor s, 1 for a mean cross entropy. So the
//! feature h follows from the gradient alone, p = softmax(W·h + b) from h, and y is the class whose p − e_y lies along
//! the gradient, with s > 0: the one of least residual.

use super::{LastLayer, Method, Restored, counts_by_factor::feature_without_bias, predictions::softmax};

/// Rounds of h from s·(p − e_y) and back, which average the noise of all elements.
const ROUNDS: usize = 4;

/// A gradient that fits one sample leaves less of itself than this.
const FAR: f64 = 0.1;

/// `None` where the feature does not follow: without the layer's weights, or without its bias.
pub fn restore(layer: &LastLayer) -> Option<Restored> {
    let weight = layer.weight?;
    let (feature, error) = match layer.bias_gradient {
        Some(gradient) => feature_and_error(layer, gradient)?,
        None => feature_without_bias(layer, weight)?,
    };
    let no_bias = vec![0.0; layer.classes];
    let bias = if layer.bias_gradient.is_some() { layer.bias? } else { &no_bias };
    let along = |row: &[f32]| row.iter().zip(&feature).map(|(&w, h)| f64::from(w) * h).sum::<f64>();
    let mut prediction: Vec<f64> = weight.chunks(layer.features()).map(along).collect();
    softmax(&mut prediction, bias);
    let fits: Vec<Fit> = (0..layer.classes).map(|class| Fit::new(&prediction, &error, class)).collect();
    let best = (0..layer.classes).max_by(|&a, &b| fits[a].cosine.total_cmp(&fits[b].cosine))?;
    let Fit { cosine, factor } = fits[best];
    if !factor.is_finite() || factor <= 0.0 {
        return None;
    }
    let residual = (1.0 - cosine * cosine).max(0.0).sqrt();
    let warnings = match residual > FAR {
        true => vec![format!(
            "the last layer's gradient is no one sample's: {residual:.2} of it is left over, as with noise or more samples"
        )],
        false => vec![],
    };
    let mut counts = vec![0; layer.classes];
    counts[best] = 1;
    let real = prediction.iter().zip(&error).map(|(p, e)| p - e / factor).collect();
    Some(Restored { method: Method::Ilrg, counts, real, confidence: Some(1.0 - residual), warnings })
}

/// How the gradient's direction and p − e_y of a class agree.
struct Fit {
    cosine: f64,
    /// s
    factor: f64,
}

impl Fit {
    fn new(prediction: &[f64], error: &[f64], class: usize) -> Fit {
        // 1 − p_y by the others: a saturated softmax is 1 to the last digit.
        let own: f64 = prediction.iter().enumerate().filter(|(c, _)| *c != class).map(|(_, p)| p).sum();
        let expected = |c: usize| if c == class { -own } else { prediction[c] };
        let classes = 0..prediction.len();
        let product: f64 = classes.clone().map(|c| expected(c) * error[c]).sum();
        let square: f64 = classes.map(|c| expected(c).powi(2)).sum();
        let length = error.iter().map(|e| e * e).sum::<f64>().sqrt();
        let cosine = if square > 0.0 { product / (square.sqrt() * length) } else { -1.0 };
        Fit { cosine, factor: product / square }
    }
}

/// h and s·(p − e_y): the best product of two vectors for ∇W and ∇b side by side, by power iteration.
fn feature_and_error(layer: &LastLayer, gradient: &[f32]) -> Option<(Vec<f64>, Vec<f64>)> {
    let mut error: Vec<f64> = gradient.iter().map(|&b| f64::from(b)).collect();
    let mut feature = vec![0.0; layer.features()];
    for round in 0..ROUNDS {
        let square: f64 = error.iter().map(|e| e * e).sum();
        feature.iter_mut().for_each(|h| *h = 0.0);
        let mut one = 0.0;
        for ((row, &b), e) in layer.rows().zip(gradient).zip(&error) {
            feature.iter_mut().zip(row).for_each(|(h, &w)| *h += f64::from(w) * e / square);
            one += f64::from(b) * e / square;
        }
        // The last element is 1, as ∇b's own factor is.
        feature.iter_mut().for_each(|h| *h /= one);
        if !feature.iter().all(|h| h.is_finite()) {
            return None;
        }
        if round + 1 < ROUNDS {
            let length: f64 = 1.0 + feature.iter().map(|h| h * h).sum::<f64>();
            let along = |row: &[f32]| row.iter().zip(&feature).map(|(&w, h)| f64::from(w) * h).sum::<f64>();
            error =
                layer.rows().zip(gradient).map(|(row, &b)| (along(row) + f64::from(b)) / length).collect();
        }
    }
    Some((feature, error))
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features},
        *,
    };

    fn features(label: usize, shift: f32) -> Vec<Vec<f32>> {
        let mut features = positive_features(&[label], 32, label as u64);
        features[0].iter_mut().for_each(|x| *x -= shift);
        features
    }

    #[test]
    fn features_of_any_sign_and_any_factor_leave_the_label() {
        for (label, factor) in (0..10).flat_map(|label| [1.0, 8.0, 0.01, 1e-13].map(|f| (label, f))) {
            let mut synthetic = Synthetic::new(10, 0.3, &features(label, 0.5), &[label], label as u64);
            let tensors = [&mut synthetic.weight_gradient, &mut synthetic.bias_gradient];
            tensors.into_iter().flatten().for_each(|g| *g *= factor);
            let restored = restore(&synthetic.layer()).unwrap();
            assert_eq!(restored.counts, synthetic.counts, "× {factor}");
            assert!(restored.confidence > Some(0.999) && restored.warnings.is_empty(), "{restored:?}");
        }
    }

    #[test]
    fn noise_is_averaged_over_all_elements_and_said() {
        let mut right = 0;
        for label in 0..10 {
            let mut synthetic = Synthetic::new(10, 0.1, &features(label, 0.0), &[label], 1);
            let tensors = [&mut synthetic.weight_gradient, &mut synthetic.bias_gradient];
            for (i, g) in tensors.into_iter().flatten().enumerate() {
                *g += 0.1 * ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 0.1;
            }
            let restored = restore(&synthetic.layer()).unwrap();
            right += usize::from(restored.counts == synthetic.counts);
            assert!(restored.real.iter().all(|r| r.is_finite()));
        }
        assert_eq!(right, 10);
    }

    #[test]
    fn a_saturated_victim_that_says_the_label_is_read() {
        let synthetic = Synthetic::new(10, 0.1, &features(4, 0.0), &[4], 1);
        let mut bias = vec![0.0; 10];
        bias[4] = 34.0;
        let weight: Vec<f32> = synthetic.layer().weight.unwrap().to_vec();
        let sure = Synthetic::of_layer(weight, bias, &features(4, 0.0), &[4]);
        assert!(sure.bias_gradient.iter().all(|b| b.abs() < 1e-12));
        assert_eq!(restore(&sure.layer()).unwrap().counts, sure.counts);
    }
}
