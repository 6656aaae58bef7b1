//! What leaves a client, as a gradient file has it.

use std::{collections::BTreeMap, path::Path};

use super::AuditError;
use crate::{
    data::{Normalisation, Picture},
    device::Device,
    federated::{ClientLoss, Kind, LocalOptimiser, Protocol, Shares, Victim, client, observed},
    nn::Mode,
    tensor_file::{GradientFile, GradientInfo, ParameterSpec, Tensor},
};

/// A client's message, and what its file says of it.
pub struct Message {
    /// What the tensors are: gradient, update or model.
    pub kind: Kind,
    /// By parameter name.
    pub tensors: BTreeMap<String, Tensor>,
    /// What the file's metadata says.
    pub info: GradientInfo,
    /// Of the first step.
    pub loss: f32,
}

/// What a client sends for this batch; `pictures`: fitted to the victim's input; `buffers`: with its running statistics
/// after training.
///
/// # Errors
/// Buffers are asked for where they do not change; what [`client::update`] refuses.
pub fn send(
    device: &dyn Device,
    victim: &Victim,
    protocol: &Protocol,
    normalisation: &Normalisation,
    pictures: &[Picture],
    labels: &[usize],
    buffers: bool,
) -> Result<Message, AuditError> {
    if buffers && protocol.mode != Mode::Train {
        return Err(AuditError::misuse(
            "--send-buffers: in eval mode the buffers do not change; give --mode train",
        ));
    }
    let update = client::update(device, victim, protocol, &normalisation.normalise(pictures)?, labels)?;
    let kind = if protocol.local.is_some() { Kind::Update } else { Kind::Gradient };
    let info = GradientInfo {
        architecture: Some(victim.model.name.clone()),
        options: Some(victim.model.options.to_string()).filter(|o| !o.is_empty()),
        kind: Some(kind.name().into()),
        mode: Some(protocol.mode.name().into()),
        clients: Some(&protocol.clients).filter(|shares| shares.clients() > 1).map(Shares::to_string),
        local_steps: protocol.local.map(|l| l.steps),
        local_epochs: protocol.local.and_then(|l| l.epochs),
        local_batch: protocol.local.map(|l| l.batch),
        local_lr: protocol.local.map(|l| l.learning_rate),
        local_optimiser: protocol
            .local
            .map(|l| l.optimiser)
            .filter(|o| *o != LocalOptimiser::Sgd)
            .map(|o| o.to_string()),
        weight_decay: protocol.local.map(|l| l.weight_decay).filter(|&decay| decay != 0.0),
        loss: Some(&protocol.loss).filter(|loss| **loss != ClientLoss::Mean).map(ClientLoss::to_string),
        batch_size: Some(labels.len()),
        image_shape: Some(victim.image_shape()),
        classes: Some(victim.model.classes),
        mean: Some(normalisation.mean().to_vec()),
        std: Some(normalisation.std().to_vec()),
        victim: Some(victim.fingerprint()),
    };
    let named = |(spec, data): (ParameterSpec, Vec<f32>)| (spec.name, Tensor { shape: spec.shape, data });
    let sent = observed::sent(protocol, labels.len(), update.gradient);
    let returned = victim.buffer_specs().into_iter().zip(update.buffers).filter(|_| buffers);
    let tensors = victim.gradient_specs().into_iter().zip(sent).chain(returned).map(named).collect();
    Ok(Message { kind, tensors, info, loss: update.loss })
}

impl Message {
    /// Writes the gradient file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), AuditError> {
        Ok(GradientFile::write(path, &self.tensors, &self.info)?)
    }
}
