//! From a victim's whole gradient to its last layer.

use super::labels::{LabelError, LastLayer, Method, Restored, restore};
use crate::federated::Victim;

/// Restores the labels of a batch from a gradient, one tensor a trainable parameter.
pub fn of_gradient(
    victim: &Victim,
    gradient: &[Vec<f32>],
    method: Method,
    batch: usize,
) -> Result<Restored, LabelError> {
    restore(method, &last_layer(victim, gradient)?, batch)
}

/// The last linear layer of a victim and its part of the gradient.
pub fn last_layer<'a>(victim: &'a Victim, gradient: &'a [Vec<f32>]) -> Result<LastLayer<'a>, LabelError> {
    let of = |at: Option<usize>| at.and_then(|i| gradient.get(i)).map(|tensor| &tensor[..]);
    layer(victim, of(Some(victim.last_weight())), of(victim.last_bias()))
}

/// The same from the last layer's tensors alone: weight, and bias if it has one.
pub fn of_tensors<'a>(victim: &'a Victim, gradient: &'a [Vec<f32>]) -> Result<LastLayer<'a>, LabelError> {
    let of = |i: usize| gradient.get(i).map(|tensor| &tensor[..]);
    layer(victim, of(0), of(1))
}

fn layer<'a>(
    victim: &'a Victim,
    weight_gradient: Option<&'a [f32]>,
    bias_gradient: Option<&'a [f32]>,
) -> Result<LastLayer<'a>, LabelError> {
    let (weight, bias) = victim.last_layer();
    LastLayer::new(victim.model.classes, weight_gradient.unwrap_or_default(), bias_gradient)?
        .with_weights(weight, bias)
}
