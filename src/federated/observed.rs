//! From what was sent to the mean gradient that all methods work on.

use super::{Protocol, Victim};
use crate::spelling::choices;

choices! {
    /// What a file or a message from a client holds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        /// ∇_θ of one step
        Gradient = "gradient",
        /// Δ = θ_local − θ_server after local training
        Update = "update",
        /// θ_local itself
        Model = "model",
    }
}

/// The mean gradient of the client's steps from what it sent of `pictures`, one tensor a trainable parameter.
pub fn mean_gradient(
    victim: &Victim,
    protocol: &Protocol,
    kind: Kind,
    pictures: usize,
    mut sent: Vec<Vec<f32>>,
) -> Vec<Vec<f32>> {
    if kind == Kind::Model {
        let trainable = victim.declarations.iter().zip(&victim.tensors).filter(|(d, _)| d.trainable);
        for (local, (_, server)) in sent.iter_mut().zip(trainable) {
            local.iter_mut().zip(server).for_each(|(l, s)| *l -= s);
        }
    }
    let scale = protocol.scale(pictures);
    if scale != 1.0 {
        let factor = 1.0 / scale;
        sent.iter_mut().flatten().for_each(|v| *v = (f64::from(*v) * factor) as f32);
    }
    sent
}

/// What is sent, from the mean gradient of the client's steps over `pictures`: the gradient, or Δ = −η·Σg.
pub fn sent(protocol: &Protocol, pictures: usize, mut gradient: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let factor = protocol.scale(pictures);
    if factor != 1.0 {
        gradient.iter_mut().flatten().for_each(|v| *v = (f64::from(*v) * factor) as f32);
    }
    gradient
}

/// Mean and variance of the client's batch at every batch norm in turn, from the running statistics before
/// and after its training: exact after one step, a mean weighted towards the last steps after more.
/// `counts`: values of a channel at each batch norm, for the variance that the layer divides by.
pub fn batch_statistics(
    victim: &Victim,
    protocol: &Protocol,
    returned: &[Vec<f32>],
    counts: &[usize],
) -> Vec<Vec<f32>> {
    let kept: Vec<f64> = victim.model.momenta().iter().map(|&momentum| protocol.kept(momentum)).collect();
    victim
        .buffers()
        .zip(returned)
        .enumerate()
        .map(|(i, (before, after))| {
            let (count, kept) = (counts[i / 2].max(2) as f64, kept[i / 2]);
            let biased = if i % 2 == 1 { (count - 1.0) / count } else { 1.0 };
            let value = |(b, a): (&f32, &f32)| {
                ((f64::from(*a) - kept * f64::from(*b)) / (1.0 - kept) * biased) as f32
            };
            before.iter().zip(after).map(value).collect()
        })
        .collect()
}
