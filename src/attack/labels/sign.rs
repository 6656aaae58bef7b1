//! The sign of ∇b: a class with ∇b_c < 0 is in the batch.

use super::{LabelError, LastLayer, Method, Restored, lowest::order, rounding::apportion};

/// Every class of { c : ∇b_c < 0 } once. The rule gives a set, no counts: the rest of the batch is spread
/// over the set in proportion to −∇b_c. Of a set above the batch, the B lowest ∇b_c are taken.
pub(crate) fn restore(layer: &LastLayer, batch: usize) -> Result<Restored, LabelError> {
    let method = Method::Sign;
    let gradient = layer.bias_gradient.ok_or(LabelError::NoBias { method })?;
    let real: Vec<f64> = gradient.iter().map(|&b| -(batch as f64) * f64::from(b)).collect();
    let present = gradient.iter().filter(|b| **b < 0.0).count();
    if present == 0 {
        return Err(LabelError::NoNegative { method });
    }
    let mut warnings = vec![];
    let spare = batch.saturating_sub(present);
    let mut counts = apportion(&real, spare);
    let by_gradient = order(&gradient.iter().map(|&b| f64::from(b)).collect::<Vec<_>>());
    by_gradient.iter().take(present.min(batch)).for_each(|&class| counts[class] += 1);
    if present < batch {
        warnings.push(format!(
            "the signs name {present} classes for a batch of {batch}. They say no more: what is missing was \
             spread over these classes in proportion to -∇b"
        ));
    } else if present > batch {
        warnings.push(format!(
            "the signs name {present} classes, more than the batch of {batch} has samples: the {batch} \
             lowest were taken"
        ));
    }
    Ok(Restored { method, counts, real, confidence: None, warnings })
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features},
        *,
    };

    #[test]
    fn a_set_as_large_as_the_batch_is_the_batch() {
        let labels = [4, 9, 55];
        let synthetic = Synthetic::new(100, 0.05, &positive_features(&labels, 32, 5), &labels, 2);
        let restored = restore(&synthetic.layer(), 3).unwrap();
        assert_eq!(restored.counts, synthetic.counts);
        assert!(restored.warnings.is_empty());
    }

    #[test]
    fn the_rest_goes_by_how_negative() {
        let labels = [4, 4, 4, 4, 9, 9];
        let synthetic = Synthetic::new(100, 0.05, &positive_features(&labels, 32, 5), &labels, 2);
        let restored = restore(&synthetic.layer(), 6).unwrap();
        assert_eq!((restored.counts[4], restored.counts[9]), (4, 2));
        assert!(restored.warnings[0].contains("2 classes for a batch of 6"));
    }

    #[test]
    fn a_set_above_the_batch_is_cut() {
        let layer = LastLayer::new(4, &[0.0; 4], Some(&[-0.1, -0.4, 0.8, -0.3])).unwrap();
        let restored = restore(&layer, 2).unwrap();
        assert_eq!(restored.counts, [0, 1, 0, 1]);
        assert!(restored.warnings[0].contains("name 3 classes"));
    }

    #[test]
    fn the_bias_gradient_is_needed() {
        let layer = LastLayer::new(2, &[0.5, -0.5], None).unwrap();
        assert_eq!(restore(&layer, 1), Err(LabelError::NoBias { method: Method::Sign }));
        let layer = LastLayer::new(2, &[0.5, -0.5], Some(&[0.0, 0.1])).unwrap();
        assert_eq!(restore(&layer, 1), Err(LabelError::NoNegative { method: Method::Sign }));
    }
}
