//! The client's training, computed.

use super::{Protocol, ProtocolError, Victim, simulate::simulate};
use crate::{
    device::{Device, DeviceError, write_all},
    nn::{ArchitectureError, Mode, loss::one_hot},
    plan::Plan,
    tape::{Tape, Var},
};

/// Why a client's training gives nothing to send.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The device has no memory, or fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ArchitectureError),
    /// The protocol makes no sense for this batch.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Labels and pictures are not equally many: the caller's mistake.
    #[error("expected {expected} labels, one a picture, found {found}")]
    Labels {
        /// How many pictures there are.
        expected: usize,
        /// How many labels there are.
        found: usize,
    },
    /// A label that the model has no class for.
    #[error("expected labels from 0 to {last}, found {label}", last = classes - 1)]
    Label {
        /// How many the model has.
        classes: usize,
        /// The first that is too large.
        label: usize,
    },
    /// The step overflows: a learning rate that is too large, or broken weights.
    #[error("the gradient of tensor '{tensor}' is not finite (loss {loss}): the training step overflows")]
    NotFinite {
        /// The first such tensor.
        tensor: String,
        /// The client's mean loss.
        loss: f32,
    },
    /// The victim is saturated, or its units are dead: every derivative is 0.
    #[error("the gradient is 0 in every element (loss {loss}): there is nothing in it to attack")]
    Zero {
        /// The client's mean loss.
        loss: f32,
    },
}

/// What a client's training comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// What is sent divided by [`Protocol::scale`]: for SGD the mean gradient over all local steps. One tensor a
    /// trainable parameter, row-major.
    pub gradient: Vec<Vec<f32>>,
    /// Buffers after training: running statistics, in `state_dict` order.
    pub buffers: Vec<Vec<f32>>,
    /// Of the first step.
    pub loss: f32,
    /// Pictures whose own class had the largest logit before training.
    pub right: usize,
}

/// Trains on normalised images `(B,C,H,W)` and their labels, each below `K`; batch norm in train mode and
/// batches of one value are refused, and so is a gradient of 0.
pub fn update(
    device: &dyn Device,
    victim: &Victim,
    protocol: &Protocol,
    images: &[f32],
    labels: &[usize],
) -> Result<Update, ClientError> {
    let mut client = Client::new(device, victim, protocol, labels.len())?;
    let update = client.update(victim, images, labels)?;
    match update.gradient.iter().flatten().all(|&v| v == 0.0) {
        true => Err(ClientError::Zero { loss: update.loss }),
        false => Ok(update),
    }
}

/// A client's training for batches of one size, or that of several clients at once, compiled once.
pub struct Client {
    executable: Box<dyn crate::device::Executable>,
    x: Var,
    targets: Var,
    /// The model's tensors, in `state_dict` order.
    tensors: Vec<Var>,
    gradient: Vec<Var>,
    /// Which tensors of the gradient these are.
    which: Vec<usize>,
    buffers: Vec<Var>,
    loss: Var,
    logits: Var,
    batch: usize,
    at_once: usize,
}

impl Client {
    /// Compiles the training and writes the victim's weights.
    pub fn new(
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        batch: usize,
    ) -> Result<Client, ClientError> {
        Client::several(device, victim, protocol, batch, 1)
    }

    /// The same for so many clients of `batch` pictures each, who know nothing of each other: trials of one plan.
    pub fn several(
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        batch: usize,
        at_once: usize,
    ) -> Result<Client, ClientError> {
        let all: Vec<usize> = (0..victim.gradient_specs().len()).collect();
        Client::compile(device, victim, protocol, [at_once, batch], all)
    }

    /// The same, but of the gradient only these tensors are computed.
    pub(super) fn of_tensors(
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        batch: usize,
        which: Vec<usize>,
    ) -> Result<Client, ClientError> {
        Client::compile(device, victim, protocol, [1, batch], which)
    }

    fn compile(
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        [at_once, batch]: [usize; 2],
        which: Vec<usize>,
    ) -> Result<Client, ClientError> {
        let model = &victim.model;
        protocol.check(batch)?;
        protocol.loss.check(model.classes).map_err(ProtocolError::Loss)?;
        if protocol.mode == Mode::Train {
            for each in protocol.clients.sizes(batch) {
                protocol.batches(each).iter().try_for_each(|&(_, count)| model.check_train(count))?;
            }
        }
        let mut tape = Tape::new();
        let [c, h, w] = model.image;
        let x = tape.input(&[at_once, batch, c, h, w]);
        let targets = tape.input(&[at_once, batch, model.classes]);
        let training = simulate(&mut tape, model, protocol, x, targets);
        let gradient: Vec<Var> = which.iter().map(|&i| training.gradient[i]).collect();
        let tensors = training.parameters.iter().map(|p| p.stored).collect();
        let (buffers, loss, logits) = (training.buffers, training.loss, training.logits);
        let keep: Vec<Var> = [&gradient[..], &buffers[..], &[loss, logits]].concat();
        let executable = device.compile(&Plan::new(&tape, &keep, &[]))?;
        let mut client = Client {
            executable,
            x,
            targets,
            tensors,
            gradient,
            which,
            buffers,
            loss,
            logits,
            batch,
            at_once,
        };
        client.set_tensors(&victim.tensors)?;
        Ok(client)
    }

    /// Parameters and buffers to train from, in `state_dict` order, in place of the victim's.
    pub fn set_tensors(&mut self, tensors: &[Vec<f32>]) -> Result<(), DeviceError> {
        write_all(&mut *self.executable, &self.tensors, tensors)
    }

    /// One training from the victim's weights, or those that were set.
    pub fn update(
        &mut self,
        victim: &Victim,
        images: &[f32],
        labels: &[usize],
    ) -> Result<Update, ClientError> {
        Ok(self.updates(victim, images, labels)?.swap_remove(0))
    }

    /// One training of each client, on pictures and labels of all of them in turn.
    pub fn updates(
        &mut self,
        victim: &Victim,
        images: &[f32],
        labels: &[usize],
    ) -> Result<Vec<Update>, ClientError> {
        let classes = victim.model.classes;
        if labels.len() != self.at_once * self.batch {
            return Err(ClientError::Labels { expected: self.at_once * self.batch, found: labels.len() });
        }
        if let Some(&label) = labels.iter().find(|&&label| label >= classes) {
            return Err(ClientError::Label { classes, label });
        }
        let exe = &mut *self.executable;
        exe.write(self.x, images)?;
        exe.write(self.targets, &one_hot(labels, classes))?;
        exe.run(1)?;
        let mut read = |vars: &[Var]| vars.iter().map(|&v| exe.read(v)).collect::<Result<Vec<_>, _>>();
        let (gradient, buffers) = (read(&self.gradient)?, read(&self.buffers)?);
        let [losses, logits] =
            read(&[self.loss, self.logits])?.try_into().expect("as many as were asked for");
        let own = |all: &[Vec<f32>], client: usize| -> Vec<Vec<f32>> {
            let part = |tensor: &Vec<f32>| {
                let length = tensor.len() / self.at_once;
                tensor[client * length..][..length].to_vec()
            };
            all.iter().map(part).collect()
        };
        let updates = (0..self.at_once).map(|client| {
            let pictures = client * self.batch..(client + 1) * self.batch;
            let rows = logits.chunks(classes).zip(labels);
            let right = |&(row, label): &(&[f32], &usize)| row.iter().all(|&logit| logit <= row[*label]);
            let right = rows.skip(pictures.start).take(self.batch).filter(right).count();
            Update {
                gradient: own(&gradient, client),
                buffers: own(&buffers, client),
                // No loss is -0, which a mean over parts may come to.
                loss: losses[client] + 0.0,
                right,
            }
        });
        let updates: Vec<Update> = updates.collect();
        for Update { gradient, loss, .. } in &updates {
            if let Some(broken) = gradient.iter().position(|g| g.iter().any(|v| !v.is_finite())) {
                let tensor = victim.gradient_specs().swap_remove(self.which[broken]).name;
                return Err(ClientError::NotFinite { tensor, loss: *loss });
            }
        }
        Ok(updates)
    }
}
