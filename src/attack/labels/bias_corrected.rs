//! The bias-corrected rule: what each label leaves in ∇b is taken off again, label by label.

use std::{cmp::Reverse, collections::BinaryHeap};

use ordered_float::OrderedFloat;

use super::{LabelError, LastLayer, Method, Restored, lowest::order};

/// Every c with ∇b_c < 0 once; m = Σ_those ∇b / B is what one label adds to its ∇b; then argmin ∇b, m
/// subtracted, until there are B labels.
pub(crate) fn restore(layer: &LastLayer, batch: usize) -> Result<Restored, LabelError> {
    let method = Method::BiasCorrected;
    let gradient = layer.bias_gradient.ok_or(LabelError::NoBias { method })?;
    let gradient: Vec<f64> = gradient.iter().map(|&b| f64::from(b)).collect();
    let present: Vec<usize> = order(&gradient).into_iter().take_while(|&c| gradient[c] < 0.0).collect();
    if present.is_empty() {
        return Err(LabelError::NoNegative { method });
    }
    let one_label = present.iter().map(|&c| gradient[c]).sum::<f64>() / batch as f64;
    let mut left = gradient.clone();
    let mut counts = vec![0; layer.classes];
    for &class in present.iter().take(batch) {
        counts[class] += 1;
        left[class] -= one_label;
    }
    // One label can only be taken where the least is left, so the order of equal values does not matter
    // beyond being fixed.
    let mut heap: BinaryHeap<_> =
        left.into_iter().enumerate().map(|(c, left)| Reverse((OrderedFloat(left), c))).collect();
    for _ in present.len()..batch {
        if let Some(mut least) = heap.peek_mut() {
            let Reverse((left, class)) = &mut *least;
            counts[*class] += 1;
            left.0 -= one_label;
        }
    }
    let mut warnings = vec![];
    if present.len() > batch {
        warnings.push(format!(
            "{} classes have ∇b < 0, more than the batch of {batch} has samples: the {batch} lowest were \
             taken",
            present.len()
        ));
    }
    let real = gradient.iter().map(|b| b / one_label).collect();
    Ok(Restored { method, counts, real, confidence: None, warnings })
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features},
        *,
    };

    #[test]
    fn duplicates_are_counted() {
        let labels = [7, 7, 7, 7, 7, 31, 31, 64];
        let synthetic = Synthetic::new(100, 0.05, &positive_features(&labels, 32, 5), &labels, 2);
        let restored = restore(&synthetic.layer(), 8).unwrap();
        assert_eq!(restored.counts, synthetic.counts);
        assert!(restored.warnings.is_empty());
    }

    #[test]
    fn more_classes_than_samples_are_cut() {
        let layer = LastLayer::new(4, &[0.0; 4], Some(&[-0.1, -0.4, 0.8, -0.3])).unwrap();
        let restored = restore(&layer, 2).unwrap();
        assert_eq!(restored.counts, [0, 1, 0, 1]);
        assert!(restored.warnings[0].contains("3 classes"));
    }

    #[test]
    fn the_bias_gradient_is_needed() {
        let layer = LastLayer::new(2, &[0.5, -0.5], None).unwrap();
        assert_eq!(restore(&layer, 1), Err(LabelError::NoBias { method: Method::BiasCorrected }));
    }
}
