//! The label of a batch of one, exactly, whatever the activation, the sign or the scale.
//!
//! With one picture ∇W = s·(p − e_y)·hᵀ and ∇b = s·(p − e_y) for one label y and one factor s, 1 for a mean cross entropy.
//! So the feature h follows from the gradient alone, whatever the factor, p = softmax(W·h + b) from h, and for every label
//! the s of least residual. The label is the one of least residual with s > 0; s ≠ 1 is a sum, a clip or a learning rate.
//! s < 0, a reversed update, is taken only where no positive factor fits and a negative one does.

use super::{LabelError, LastLayer, Method, Restored, counts_by_factor::feature_without_bias, softmax};

/// Rounds of h from s·(p − e_y) and back, which average the noise of all elements.
const ROUNDS: usize = 4;
/// A gradient that fits one sample leaves less of itself than this.
const FAR: f64 = 0.1;
/// A reversed reading leaves less than this share of what the best other one does.
const NEARER: f64 = 0.5;
/// What ∇W has beside ∇b·hᵀ, as a share: more is not rounding, half precision included, but noise or a second picture.
const SECOND: f64 = 0.02;

/// One label, and the factor that goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactLabel {
    /// y
    pub label: usize,
    /// s
    pub scale: f64,
    /// ‖∇b − s·(p − e_y)‖/‖∇b‖
    pub residual: f64,
    /// ‖∇W − ∇b·hᵀ‖/‖∇W‖: 0 where there was one picture and no noise.
    pub second: f64,
    /// p − ∇b/s, `(K)`: the counts before they are rounded.
    pub real: Vec<f64>,
}

/// The label of the one picture whose gradient this is, or a multiple of it; `method`: for errors.
///
/// # Errors
/// None of the layer's weights; a gradient that has no feature; no bias where the feature does not follow without one.
pub fn exact_label(layer: &LastLayer, method: Method) -> Result<ExactLabel, LabelError> {
    let weight = layer.weight.ok_or(LabelError::NoWeights { method, tensor: "weight" })?;
    let (bias, found) = match layer.bias_gradient {
        Some(gradient) => {
            let bias = layer.bias.ok_or(LabelError::NoWeights { method, tensor: "bias" })?;
            (bias, feature_and_error(layer, gradient).ok_or(LabelError::NoFeature { method })?)
        }
        None => (&[][..], feature_without_bias(layer, weight).ok_or(LabelError::NoBias { method })?),
    };
    let (feature, error) = found;
    let along = |row: &[f32]| row.iter().zip(&feature).map(|(&w, &h)| f64::from(w) * h).sum::<f64>();
    let mut prediction: Vec<f64> = weight.chunks(layer.features()).map(along).collect();
    prediction.iter_mut().zip(bias).for_each(|(logit, &b)| *logit += f64::from(b));
    softmax(&mut prediction);
    let fits: Vec<Fit> = (0..layer.classes).map(|class| Fit::new(&prediction, &error, class)).collect();
    let best = |sign: f64| {
        let of_sign = (0..fits.len()).filter(|&c| fits[c].factor.is_finite() && sign * fits[c].factor > 0.0);
        of_sign.min_by(|&a, &b| fits[a].residual().total_cmp(&fits[b].residual()))
    };
    let label = match (best(1.0), best(-1.0)) {
        (Some(positive), Some(negative)) => {
            let [own, reversed] = [positive, negative].map(|class| fits[class].residual());
            if own > FAR && reversed < NEARER * own { negative } else { positive }
        }
        (one, other) => one.or(other).ok_or(LabelError::NoFeature { method })?,
    };
    let Fit { factor: scale, .. } = fits[label];
    let real = prediction.iter().zip(&error).map(|(p, e)| p - e / scale).collect();
    let second = beside(layer, &feature, &error);
    Ok(ExactLabel { label, scale, residual: fits[label].residual(), second, real })
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
        let cosine = if square > 0.0 { product / (square.sqrt() * length) } else { 0.0 };
        Fit { cosine, factor: product / square }
    }

    fn residual(&self) -> f64 {
        (1.0 - self.cosine * self.cosine).max(0.0).sqrt()
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

/// What s·(p − e_y)·hᵀ leaves of ∇W.
fn beside(layer: &LastLayer, feature: &[f64], error: &[f64]) -> f64 {
    let (mut left, mut all) = (0.0, 0.0);
    for (row, e) in layer.rows().zip(error) {
        for (&w, h) in row.iter().zip(feature) {
            left += (f64::from(w) - e * h).powi(2);
            all += f64::from(w).powi(2);
        }
    }
    (left / all.max(f64::MIN_POSITIVE)).sqrt()
}

pub(crate) fn restore(layer: &LastLayer, method: Method) -> Result<Restored, LabelError> {
    let found = exact_label(layer, method)?;
    let mut warnings = vec![];
    if found.residual > FAR {
        warnings.push(format!(
            "the last layer's gradient is no one sample's: {:.2} of it is left over, as with noise or more samples",
            found.residual
        ));
    } else if found.second > SECOND {
        warnings.push(format!(
            "{:.1e} of the last layer's gradient does not fit one picture: there were more, or noise was added",
            found.second
        ));
    }
    let mut counts = vec![0; layer.classes];
    counts[found.label] = 1;
    Ok(Restored { method, counts, real: found.real, confidence: Some(1.0 - found.residual), warnings })
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features},
        *,
    };

    /// Features of both signs, as tanh, SiLU and leaky ReLU give them.
    fn mixed(label: usize, seed: u64) -> Synthetic {
        let mut features = positive_features(&[label], 64, seed);
        features[0].iter_mut().enumerate().for_each(|(i, x)| *x -= if i % 2 == 0 { 0.9 } else { 0.1 });
        Synthetic::new(10, 0.2, &features, &[label], seed)
    }

    fn times(synthetic: &mut Synthetic, factor: f32) {
        let tensors = [&mut synthetic.weight_gradient, &mut synthetic.bias_gradient];
        tensors.into_iter().flatten().for_each(|g| *g *= factor);
    }

    #[test]
    fn labels_are_found_where_features_are_negative_and_the_gradient_is_any_multiple() {
        for seed in 0..20 {
            let label = seed as usize % 10;
            for factor in [1.0, -0.05, 300.0, 1e-13] {
                let mut synthetic = mixed(label, seed);
                times(&mut synthetic, factor);
                let found = exact_label(&synthetic.layer(), Method::Exact).unwrap();
                assert_eq!(found.label, label, "seed {seed}, factor {factor}");
                assert!((found.scale / f64::from(factor) - 1.0).abs() < 1e-4, "{}", found.scale);
                assert!(found.residual < 1e-5, "{found:?}");
                assert!((found.real[label] - 1.0).abs() < 1e-4, "{:?}", found.real);
                let restored = restore(&synthetic.layer(), Method::Ilrg).unwrap();
                assert!(restored.confidence > Some(0.999) && restored.warnings.is_empty(), "{restored:?}");
            }
        }
    }

    #[test]
    fn of_two_classes_the_one_whose_factor_is_above_zero() {
        for (label, factor) in [(0, 1.0), (1, 1.0), (0, 0.1), (1, 7.0)] {
            let mut synthetic = Synthetic::new(2, 0.2, &positive_features(&[label], 16, 1), &[label], 1);
            times(&mut synthetic, factor);
            assert_eq!(exact_label(&synthetic.layer(), Method::Exact).unwrap().label, label);
        }
    }

    #[test]
    fn noise_is_averaged_over_all_elements() {
        for label in 0..10 {
            let mut synthetic = Synthetic::new(10, 0.1, &positive_features(&[label], 32, 1), &[label], 1);
            let tensors = [&mut synthetic.weight_gradient, &mut synthetic.bias_gradient];
            for (i, g) in tensors.into_iter().flatten().enumerate() {
                *g += 0.1 * ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 0.1;
            }
            let restored = restore(&synthetic.layer(), Method::Exact).unwrap();
            assert_eq!(restored.counts, synthetic.counts);
            assert!(!restored.warnings.is_empty(), "noise is said");
        }
    }

    #[test]
    fn a_saturated_victim_that_says_the_label_is_read() {
        let synthetic = Synthetic::new(10, 0.1, &positive_features(&[4], 32, 4), &[4], 1);
        let mut bias = vec![0.0; 10];
        bias[4] = 34.0;
        let weight: Vec<f32> = synthetic.layer().weight.unwrap().to_vec();
        let sure = Synthetic::of_layer(weight, bias, &positive_features(&[4], 32, 4), &[4]);
        assert!(sure.bias_gradient.iter().all(|b| b.abs() < 1e-12));
        assert_eq!(restore(&sure.layer(), Method::Exact).unwrap().counts, sure.counts);
    }

    #[test]
    fn a_layer_without_a_bias_has_its_feature_all_the_same() {
        let own = mixed(3, 1);
        let free =
            Synthetic::of_layer(own.weight.clone(), vec![0.0; 10], &positive_features(&[3], 64, 2), &[3]);
        let layer = LastLayer::new(10, &free.weight_gradient, None).unwrap();
        let layer = layer.with_weights(&free.weight, None).unwrap();
        assert_eq!(restore(&layer, Method::Exact).unwrap().counts, free.counts);
    }

    #[test]
    fn a_reversed_update_and_two_pictures_are_said() {
        let said = |synthetic: &Synthetic, words: &str| {
            let warnings = super::super::restore(Method::Exact, &synthetic.layer(), 1).unwrap().warnings;
            assert!(warnings.iter().any(|w| w.contains(words)), "no '{words}' in {warnings:?}");
        };
        let mut reversed = mixed(3, 1);
        times(&mut reversed, -0.1);
        said(&reversed, "reversed");
        let two = Synthetic::new(10, 0.2, &positive_features(&[1, 5], 32, 1), &[1, 5], 1);
        said(&two, "no one sample's");
        assert_eq!(restore(&mixed(1, 1).layer(), Method::Exact).unwrap().warnings, Vec::<String>::new());
        let refused = super::super::restore(Method::Exact, &two.layer(), 2);
        assert_eq!(refused, Err(LabelError::OnePicture { method: Method::Exact, batch: 2 }));
    }
}
