//! The last linear layer as the eavesdropper sees it.

use super::LabelError;

/// The last linear layer: logits = W·features + b. Gradients are of the batch mean of the cross entropy.
#[derive(Clone, Copy, Debug)]
pub struct LastLayer<'a> {
    /// `K`
    pub(super) classes: usize,
    /// ∇W `(K, d)`
    pub(super) weight_gradient: &'a [f32],
    /// ∇b `(K)`; a layer may have no bias.
    pub(super) bias_gradient: Option<&'a [f32]>,
    /// W `(K, d)`, which only iLRG needs.
    pub(super) weight: Option<&'a [f32]>,
    /// b `(K)`
    pub(super) bias: Option<&'a [f32]>,
}

impl<'a> LastLayer<'a> {
    /// From the gradients alone.
    ///
    /// # Errors
    /// Lengths that do not fit `classes`, NaN or Inf.
    pub fn new(
        classes: usize,
        weight_gradient: &'a [f32],
        bias_gradient: Option<&'a [f32]>,
    ) -> Result<Self, LabelError> {
        if classes == 0 {
            return Err(LabelError::NoClasses);
        }
        let whole_rows = weight_gradient.len().next_multiple_of(classes).max(classes);
        check("weight gradient", weight_gradient, whole_rows)?;
        if let Some(gradient) = bias_gradient {
            check("bias gradient", gradient, classes)?;
        }
        Ok(LastLayer { classes, weight_gradient, bias_gradient, weight: None, bias: None })
    }

    /// With the layer's weights.
    ///
    /// # Errors
    /// Shapes other than the gradients', NaN or Inf.
    pub fn with_weights(self, weight: &'a [f32], bias: Option<&'a [f32]>) -> Result<Self, LabelError> {
        check("weight", weight, self.weight_gradient.len())?;
        if let Some(bias) = bias {
            check("bias", bias, self.classes)?;
        }
        Ok(LastLayer { weight: Some(weight), bias, ..self })
    }

    /// `K`
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// `d`
    pub fn features(&self) -> usize {
        self.weight_gradient.len() / self.classes
    }

    /// ∇W_c, class by class.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'a [f32]> {
        self.weight_gradient.chunks(self.features())
    }

    /// ∇W and ∇b (empty without one), divided.
    pub(super) fn divided_by(&self, factor: f64) -> [Vec<f32>; 2] {
        [self.weight_gradient, self.bias_gradient.unwrap_or_default()]
            .map(|values| values.iter().map(|&v| (f64::from(v) / factor) as f32).collect())
    }

    pub(super) fn is_zero(&self) -> bool {
        self.weight_gradient.iter().chain(self.bias_gradient.unwrap_or_default()).all(|&v| v == 0.0)
    }
}

fn check(tensor: &'static str, values: &[f32], expected: usize) -> Result<(), LabelError> {
    if values.len() != expected {
        return Err(LabelError::Shape { tensor, expected, found: values.len() });
    }
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(LabelError::NotFinite { tensor, index, value: values[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_fit() {
        let shape = |tensor, expected, found| Some(LabelError::Shape { tensor, expected, found });
        assert_eq!(LastLayer::new(2, &[1.0; 5], None).err(), shape("weight gradient", 6, 5));
        assert_eq!(LastLayer::new(2, &[], None).err(), shape("weight gradient", 2, 0));
        assert_eq!(LastLayer::new(2, &[1.0; 6], Some(&[1.0; 3])).err(), shape("bias gradient", 2, 3));
        assert_eq!(LastLayer::new(0, &[], None).err(), Some(LabelError::NoClasses));
        let layer = LastLayer::new(2, &[1.0; 6], None).unwrap();
        assert_eq!(layer.with_weights(&[1.0; 4], None).err(), shape("weight", 6, 4));
        assert_eq!(layer.with_weights(&[1.0; 6], Some(&[])).err(), shape("bias", 2, 0));
    }

    #[test]
    fn elements_must_be_finite() {
        let found = LastLayer::new(2, &[1.0, f32::INFINITY], None).err();
        let (tensor, value) = ("weight gradient", f32::INFINITY);
        assert_eq!(found, Some(LabelError::NotFinite { tensor, index: 1, value }));
    }
}
