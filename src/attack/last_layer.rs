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
    let specs = victim.gradient_specs();
    let weight = victim.last_weight();
    let bias = specs.get(weight + 1).map(|_| weight + 1);
    let tensor = |i: usize| {
        let position = victim.declarations.iter().position(|d| d.name == specs[i].name).expect("its own");
        &victim.tensors[position][..]
    };
    LastLayer::new(victim.model.classes, &gradient[weight], bias.map(|b| &gradient[b][..]))?
        .with_weights(tensor(weight), bias.map(tensor))
}
