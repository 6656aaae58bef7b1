//! What a user should know before trusting restored labels, whatever the method.

use super::{LastLayer, Method, SignAndScale, Suspicion, Verdict, check_gradient, features::mean_feature};

/// Share of negative mass in the features from which they count as not ≥ 0: rounding does not reach it.
const NOTICEABLE: f64 = 0.01;

/// With this many classes a sample, the classes of the batch are few enough to be told from predictions.
const CLASSES_A_SAMPLE: usize = 2;

pub(crate) fn general(method: Method, layer: &LastLayer, batch: usize, found: &SignAndScale) -> Vec<String> {
    let mut warnings = vec![];
    warnings.extend(found.warning());
    match layer.bias_gradient {
        Some(gradient) => {
            // Sign and scale are judged as a whole.
            let other = |s: &Suspicion| match (s, &found.verdict) {
                (Suspicion::SumNotZero { .. }, _) => true,
                (Suspicion::Reversed { .. }, _) => false,
                (_, verdict) => matches!(verdict, Verdict::Undecided(_)),
            };
            let suspicions = check_gradient(gradient, batch);
            warnings.extend(suspicions.iter().filter(|s| other(s)).map(ToString::to_string));
            warnings.extend(trained(method, gradient, batch));
        }
        None => warnings.push(
            "the last layer's bias gradient is not given: whether this is the gradient of a mean cross \
             entropy cannot be checked"
                .into(),
        ),
    }
    if matches!(method, Method::Idlg | Method::Yin) && negative_features(layer, batch) {
        warnings.push(format!(
            "features that enter the last layer are negative: {method} assumes that none is, and its labels \
             may be wrong"
        ));
    }
    // iLRG measures how far it got; iDLG has said that it is not made for this.
    if batch > layer.classes && !matches!(method, Method::Ilrg | Method::Idlg) {
        warnings.push(format!(
            "the batch of {batch} has more samples than the layer has classes, {}: what the true class \
             leaves in the gradient and what the predictions do cancel out, so the counts are rough",
            layer.classes
        ));
    }
    warnings
}

/// The negative part of ∇b is how far the labels are from the victim's predictions, from 0 to 1. Few labels
/// on many classes are far from an untrained victim's, unless its weights are so large that it is sure of
/// some class by chance. iLRG looks at the predictions themselves, and for one
/// label the other methods do not care.
fn trained(method: Method, bias_gradient: &[f32], batch: usize) -> Option<String> {
    if method == Method::Ilrg || batch == 1 || CLASSES_A_SAMPLE * batch > bias_gradient.len() {
        return None;
    }
    let distance: f64 = bias_gradient.iter().map(|&b| -f64::from(b.min(0.0))).sum();
    (distance < 0.5).then(|| {
        format!(
            "the victim's predictions are only {distance:.2} (of 1) away from the labels, as a trained \
             victim's are. Samples that it is sure of leave next to nothing in the gradient, and are missed"
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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            LabelError, restore,
            synthetic::{Synthetic, positive_features},
        },
        *,
    };

    fn warned(method: Method, layer: &LastLayer, batch: usize, words: &str) {
        let warnings = restore(method, layer, batch).unwrap().warnings;
        assert!(warnings.iter().any(|w| w.contains(words)), "{method}: no '{words}' in {warnings:?}");
    }

    #[test]
    fn what_every_method_assumes_goes_without_warnings() {
        let labels = [3, 50, 71];
        let synthetic = Synthetic::new(100, 0.05, &positive_features(&labels, 64, 1), &labels, 1);
        for method in Method::ANY_BATCH.into_iter().filter(|m| *m != Method::Idlg) {
            let restored = restore(method, &synthetic.layer(), 3).unwrap();
            assert_eq!((restored.counts, restored.warnings), (synthetic.counts.clone(), vec![]), "{method}");
        }
    }

    #[test]
    fn negative_features_are_seen_with_and_without_a_bias() {
        let mut features = positive_features(&[2], 64, 1);
        features[0].iter_mut().for_each(|x| *x -= 0.3);
        let synthetic = Synthetic::new(10, 0.1, &features, &[2], 1);
        let no_bias = LastLayer::new(10, &synthetic.weight_gradient, None).unwrap();
        for method in [Method::Idlg, Method::Yin] {
            warned(method, &synthetic.layer(), 1, "negative: ");
            warned(method, &no_bias, 1, "negative: ");
        }
        warned(Method::Idlg, &no_bias, 1, "cannot be checked");
    }

    #[test]
    fn a_trained_victim_is_seen_without_its_weights() {
        let labels = [0, 0, 3, 7];
        let features = positive_features(&labels, 40, 3);
        let row = |class: usize| {
            let sample = labels.iter().position(|&l| l == class);
            sample.map_or(vec![0.0; 40], |s| features[s].clone())
        };
        let weight = (0..10).flat_map(row).collect();
        let synthetic = Synthetic::of_layer(weight, vec![0.0; 10], &features, &labels);
        let layer = LastLayer::new(10, &synthetic.weight_gradient, Some(&synthetic.bias_gradient)).unwrap();
        for method in [Method::Sign, Method::BiasCorrected, Method::Yin] {
            warned(method, &layer, 4, "trained");
        }
    }

    #[test]
    fn a_batch_above_the_classes_is_rough() {
        let labels: Vec<usize> = (0..30).map(|i| i % 7).collect();
        let synthetic = Synthetic::new(10, 0.1, &positive_features(&labels, 32, 1), &labels, 1);
        for method in [Method::Sign, Method::Yin, Method::BiasCorrected] {
            warned(method, &synthetic.layer(), 30, "more samples than the layer has classes");
        }
    }

    #[test]
    fn an_update_in_place_of_a_gradient_is_named() {
        let labels = [3, 50, 71];
        let mut synthetic = Synthetic::new(100, 0.05, &positive_features(&labels, 64, 1), &labels, 1);
        let tensors = [&mut synthetic.weight_gradient, &mut synthetic.bias_gradient];
        tensors.into_iter().flatten().for_each(|g| *g *= -0.1);
        for method in Method::ANY_BATCH {
            warned(method, &synthetic.layer(), 3, "sign is reversed");
        }
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let layer = LastLayer::new(2, &[0.0; 4], Some(&[0.0; 2])).unwrap();
        for method in Method::ANY_BATCH {
            assert_eq!(restore(method, &layer, 1), Err(LabelError::ZeroGradient));
            assert_eq!(restore(method, &layer, 0), Err(LabelError::EmptyBatch));
        }
    }
}
