//! The client's training step.

use super::Victim;
use crate::{
    device::{Device, DeviceError},
    nn::{
        Architecture, Network, Parameter,
        loss::{cross_entropy, one_hot},
    },
    plan::Plan,
    tape::{Tape, Var},
};

/// Why a training step gives nothing to send.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("the gradient of tensor '{tensor}' is not finite (loss {loss}): the training step overflows")]
    NotFinite { tensor: String, loss: f32 },
    #[error("the gradient is 0 in every element (loss {loss}): there is nothing in it to attack")]
    Zero { loss: f32 },
}

/// What the client sends after one step on one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// ∇_θ of the mean cross entropy, one tensor a trainable parameter, row-major.
    pub gradient: Vec<Vec<f32>>,
    pub loss: f32,
}

/// A victim's loss on a tape.
pub struct Step {
    pub parameters: Vec<Parameter>,
    /// Mean cross entropy `(T)`.
    pub loss: Var,
    /// Its gradient by every trainable parameter, `(T,…)` each.
    pub gradient: Vec<Var>,
}

/// One training step of `x (T,B,C,H,W)` with targets `(T,B,K)`, up to the gradient.
pub fn step(tape: &mut Tape, architecture: &dyn Architecture, x: Var, targets: Var) -> Step {
    let (trials, classes) = (tape.shape(x)[0], tape.shape(targets)[2]);
    let mut net = Network::new(tape, trials);
    let logits = architecture.forward(&mut net, x, classes);
    let parameters = net.parameters;
    let loss = cross_entropy(tape, logits, targets);
    let weights: Vec<Var> = parameters.iter().filter(|p| p.declaration.trainable).map(|p| p.value).collect();
    let gradient = tape.grad(loss, &weights);
    Step { parameters, loss, gradient }
}

/// The gradient of mean cross entropy for normalised images `(B,C,H,W)` and their labels, each below `K`.
pub fn update(
    device: &dyn Device,
    victim: &Victim,
    images: &[f32],
    labels: &[usize],
) -> Result<Update, ClientError> {
    let mut tape = Tape::new();
    let [c, h, w] = victim.image_shape();
    let x = tape.input(&[1, labels.len(), c, h, w]);
    let targets = tape.input(&[1, labels.len(), victim.classes]);
    let step = step(&mut tape, &*victim.architecture, x, targets);
    let keep: Vec<Var> = step.gradient.iter().copied().chain([step.loss]).collect();
    let mut exe = device.compile(&Plan::new(&tape, &keep, &[]))?;
    exe.write(x, images)?;
    exe.write(targets, &one_hot(labels, victim.classes))?;
    for (parameter, tensor) in step.parameters.iter().zip(&victim.tensors) {
        exe.write(parameter.stored, tensor)?;
    }
    exe.run(1)?;
    let gradient = step.gradient.iter().map(|&g| exe.read(g)).collect::<Result<Vec<_>, _>>()?;
    let loss = exe.read(step.loss)?[0];
    if let Some(broken) = gradient.iter().position(|g| g.iter().any(|v| !v.is_finite())) {
        let tensor = victim.gradient_specs().swap_remove(broken).name;
        return Err(ClientError::NotFinite { tensor, loss });
    }
    if gradient.iter().flatten().all(|&v| v == 0.0) {
        return Err(ClientError::Zero { loss });
    }
    Ok(Update { gradient, loss })
}
