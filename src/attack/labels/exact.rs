//! The label of a batch of one, exactly, whatever the activation, the sign or the scale.
//!
//! With one picture ∇W = ∇b·hᵀ, so that its feature h = ∇Wᵀ∇b/‖∇b‖² is known whatever the gradient was multiplied by, and
//! with it p = softmax(W·h + b). Then ∇b = s·(p − e_y) for one label y and one factor s: for every y the s of least
//! residual, and the y whose residual is least. s < 0 is a reversed update; s ≠ 1 a sum, a clip or a learning rate.

use super::{LabelError, LastLayer, Method, Restored};

/// Residuals closer than this to each other, in shares of the larger, decide nothing.
const UNDECIDED: f64 = 0.5;
/// What ∇W has beside ∇b·hᵀ, as a share: more is not rounding, but noise or a second picture.
const SECOND: f64 = 1e-3;

/// One label, and the factor that goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactLabel {
    pub label: usize,
    /// s
    pub scale: f64,
    /// ‖∇b − s·(p − e_y)‖/‖∇b‖
    pub residual: f64,
    /// The least residual of another label. With two classes both are 0: then the label is the one whose s is nearest 1.
    pub runner_up: f64,
    /// ‖∇W − ∇b·hᵀ‖/‖∇W‖: 0 where there was one picture and no noise.
    pub second: f64,
    /// Every label's residual, `(K)`.
    pub residuals: Vec<f64>,
}

/// The label of the one picture whose gradient this is, or a multiple of it.
///
/// # Errors
/// No bias, or none of the layer's weights.
pub fn exact_label(layer: &LastLayer) -> Result<ExactLabel, LabelError> {
    let method = Method::Exact;
    let bias_gradient = layer.bias_gradient.ok_or(LabelError::NoBias { method })?;
    let weight = layer.weight.ok_or(LabelError::NoWeights { method, tensor: "weight" })?;
    let bias = layer.bias.ok_or(LabelError::NoWeights { method, tensor: "bias" })?;
    let b: Vec<f64> = bias_gradient.iter().map(|&v| f64::from(v)).collect();
    let square = square(&b);
    if square == 0.0 {
        return Err(LabelError::ZeroGradient);
    }
    let (feature, second) = feature(layer, &b, square);
    let d = layer.features();
    let logits = weight.chunks(d).zip(bias).map(|(row, &bias)| {
        f64::from(bias) + row.iter().zip(&feature).map(|(&w, h)| f64::from(w) * h).sum::<f64>()
    });
    let p = crate::attack::exact::labels::softmax(&logits.collect::<Vec<_>>());
    let fit = |label: usize| -> (f64, f64) {
        let direction = |i: usize| p[i] - f64::from(u8::from(i == label));
        let length: f64 = (0..p.len()).map(|i| direction(i).powi(2)).sum();
        let along: f64 = b.iter().enumerate().map(|(i, b)| b * direction(i)).sum();
        let scale = if length > 0.0 { along / length } else { 0.0 };
        let rest: f64 = b.iter().enumerate().map(|(i, b)| (b - scale * direction(i)).powi(2)).sum();
        (scale, (rest / square).sqrt())
    };
    let fits: Vec<(f64, f64)> = (0..p.len()).map(fit).collect();
    let two = p.len() == 2;
    let worth = |&(scale, residual): &(f64, f64)| if two { (scale - 1.0).abs() } else { residual };
    let order = |a: &usize, b: &usize| worth(&fits[*a]).total_cmp(&worth(&fits[*b]));
    let label = (0..fits.len()).min_by(order).ok_or(LabelError::NoClasses)?;
    let others = fits.iter().enumerate().filter(|(other, _)| *other != label);
    let runner_up = others.map(|(_, fit)| fit.1).fold(f64::INFINITY, f64::min);
    let (scale, residual) = fits[label];
    let residuals = fits.iter().map(|fit| fit.1).collect();
    Ok(ExactLabel { label, scale, residual, runner_up, second, residuals })
}

/// h, and what it leaves of ∇W.
fn feature(layer: &LastLayer, bias_gradient: &[f64], square: f64) -> (Vec<f64>, f64) {
    let mut h = vec![0.0; layer.features()];
    for (row, b) in layer.rows().zip(bias_gradient) {
        h.iter_mut().zip(row).for_each(|(h, &w)| *h += b / square * f64::from(w));
    }
    let (mut left, mut all) = (0.0, 0.0);
    for (row, b) in layer.rows().zip(bias_gradient) {
        for (&w, h) in row.iter().zip(&h) {
            left += (f64::from(w) - b * h).powi(2);
            all += f64::from(w).powi(2);
        }
    }
    (h, (left / all.max(f64::MIN_POSITIVE)).sqrt())
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum()
}

pub fn restore(layer: &LastLayer, batch: usize) -> Result<Restored, LabelError> {
    let method = Method::Exact;
    if batch != 1 {
        return Err(LabelError::OnePicture { method, batch });
    }
    let found = exact_label(layer)?;
    let mut warnings = vec![];
    if found.second > SECOND {
        warnings.push(format!(
            "{:.1e} of the last layer's gradient does not fit one picture: there were more, or noise was added",
            found.second
        ));
    }
    let undecided = layer.classes > 2 && found.residual > UNDECIDED * found.runner_up;
    if undecided {
        warnings.push(format!(
            "the label is undecided: it leaves {:.1e} of the bias gradient unexplained, another one {:.1e}",
            found.residual, found.runner_up
        ));
    }
    let mut counts = vec![0; layer.classes];
    counts[found.label] = 1;
    let confidence = match layer.classes {
        2 => None,
        _ => Some(1.0 - (found.residual / found.runner_up.max(f64::MIN_POSITIVE)).min(1.0)),
    };
    Ok(Restored { method, counts, real: found.residuals, confidence, warnings })
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

    #[test]
    fn labels_are_found_where_features_are_negative_and_the_gradient_is_any_multiple() {
        for seed in 0..20 {
            let label = seed as usize % 10;
            for factor in [1.0, -0.05, 300.0] {
                let mut synthetic = mixed(label, seed);
                let tensors = [&mut synthetic.weight_gradient, &mut synthetic.bias_gradient];
                tensors.into_iter().flatten().for_each(|g| *g *= factor);
                let found = exact_label(&synthetic.layer()).unwrap();
                assert_eq!(found.label, label, "seed {seed}, factor {factor}");
                assert!((found.scale / f64::from(factor) - 1.0).abs() < 1e-4, "{}", found.scale);
                assert!(found.residual < 1e-5 && found.runner_up > 0.1, "{found:?}");
            }
        }
    }

    #[test]
    fn of_two_classes_the_one_whose_factor_is_one() {
        for label in [0, 1] {
            let synthetic = Synthetic::new(2, 0.2, &positive_features(&[label], 16, 1), &[label], 1);
            assert_eq!(exact_label(&synthetic.layer()).unwrap().label, label);
        }
    }

    #[test]
    fn a_reversed_update_two_pictures_and_noise_are_said() {
        let said = |synthetic: &Synthetic, words: &str| {
            let warnings = super::super::restore(Method::Exact, &synthetic.layer(), 1).unwrap().warnings;
            assert!(warnings.iter().any(|w| w.contains(words)), "no '{words}' in {warnings:?}");
        };
        let mut reversed = mixed(3, 1);
        let tensors = [&mut reversed.weight_gradient, &mut reversed.bias_gradient];
        tensors.into_iter().flatten().for_each(|g| *g *= -0.1);
        said(&reversed, "reversed");
        let two = Synthetic::new(10, 0.2, &positive_features(&[1, 5], 32, 1), &[1, 5], 1);
        said(&two, "does not fit one picture");
        assert_eq!(restore(&mixed(1, 1).layer(), 1).unwrap().warnings, Vec::<String>::new());
        let refused = restore(&two.layer(), 2);
        assert_eq!(refused, Err(LabelError::OnePicture { method: Method::Exact, batch: 2 }));
    }
}
