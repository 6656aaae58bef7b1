//! What a user should know before trusting restored labels, whatever the method.

use super::{LastLayer, Method, check_gradient, features::mean_feature};

/// Share of negative mass in the features from which they count as not ≥ 0: rounding does not reach it.
const NOTICEABLE: f64 = 0.01;

/// With this many classes a sample, the classes of the batch are few enough to be told from predictions.
const CLASSES_A_SAMPLE: usize = 2;

pub fn general(method: Method, layer: &LastLayer, batch: usize) -> Vec<String> {
    let mut warnings = vec![];
    match layer.bias_gradient {
        Some(gradient) => {
            warnings.extend(check_gradient(gradient, batch).iter().map(ToString::to_string));
            warnings.extend(trained(method, gradient, batch));
        }
        None => warnings.push(
            "the last layer's bias gradient is not given: whether this is the gradient of a mean cross entropy \
             cannot be checked"
                .into(),
        ),
    }
    if matches!(method, Method::Idlg | Method::Yin) && negative_features(layer, batch) {
        warnings.push(format!(
            "features that enter the last layer are negative: {method} assumes that none is, and its labels \
             may be wrong"
        ));
    }
    if batch > layer.classes && method != Method::Idlg {
        warnings.push(format!(
            "the batch of {batch} has more samples than the layer has classes, {}: what the true class leaves \
             in the gradient and what the predictions do cancel out, so the counts are rough",
            layer.classes
        ));
    }
    warnings
}

/// The negative part of ∇b is how far the labels are from the victim's predictions, from 0 to 1. Few labels
/// on many classes are far from an untrained victim's. iLRG looks at the predictions themselves, and for one
/// label the other methods do not care.
fn trained(method: Method, bias_gradient: &[f32], batch: usize) -> Option<String> {
    if method == Method::Ilrg || batch == 1 || CLASSES_A_SAMPLE * batch > bias_gradient.len() {
        return None;
    }
    let distance: f64 = bias_gradient.iter().map(|&b| -f64::from(b.min(0.0))).sum();
    (distance < 0.5).then(|| {
        format!(
            "the victim is trained on such samples: its predictions are only {distance:.2} (of 1) away from the \
             labels. Samples that it is sure of leave next to nothing in the gradient, and are missed"
        )
    })
}

fn negative_features(layer: &LastLayer, batch: usize) -> bool {
    let noticeable = |values: &mut dyn Iterator<Item = f64>| {
        let (negative, all) = values.fold((0.0, 0.0), |(n, a), v| (n - v.min(0.0), a + v.abs()));
        negative > NOTICEABLE * all
    };
    // With features ≥ 0, the row of a class that is not in the batch is ≥ 0.
    let rows = layer.rows().filter(|row| noticeable(&mut row.iter().map(|&v| f64::from(v)))).count();
    rows > batch
        || layer
            .bias_gradient
            .is_some_and(|gradient| noticeable(&mut mean_feature(layer, gradient).into_iter()))
}
