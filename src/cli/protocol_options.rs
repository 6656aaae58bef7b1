//! What the client does before it sends.

use std::{fs, path::Path};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::misuse;
use crate::{
    federated::{ClientLoss, Local, LocalOptimiser, Protocol},
    nn::Mode,
    tensor_file::GradientInfo,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeChoice {
    /// Running statistics
    Eval,
    /// Statistics of the batch
    Train,
}

/// The client's training.
#[derive(Args, Clone, Debug, Default)]
pub struct ProtocolOptions {
    /// Batch norm of the client: running statistics or those of its batch
    #[arg(long, value_enum)]
    mode: Option<ModeChoice>,
    /// Steps of local training (FedAvg): what is sent is then the update, not the gradient
    #[arg(long, value_name = "N")]
    local_steps: Option<usize>,
    /// Epochs of local training, in place of --local-steps
    #[arg(long, value_name = "E", conflicts_with = "local_steps")]
    local_epochs: Option<usize>,
    /// Learning rate of local training (one step, unless --local-steps or --local-epochs say more)
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    local_lr: Option<f64>,
    /// Pictures of a local step (default: all of the client's)
    #[arg(long, value_name = "N")]
    local_batch: Option<usize>,
    /// Optimiser of local training: sgd, momentum:M, nesterov:M, adam, adamw or rmsprop (the last three with :EPSILON)
    #[arg(long, value_name = "O")]
    local_optimiser: Option<LocalOptimiser>,
    /// Weight decay of local training, as PyTorch's optimiser takes it (default 0)
    #[arg(long, value_name = "L")]
    weight_decay: Option<f64>,
    /// Loss that the client trains on: mean (cross entropy), sum, smoothing:S, weights:FILE (one number a class) or bce
    #[arg(long, value_name = "F")]
    loss: Option<String>,
    /// Clients with equally many of the pictures, whose mean is sent
    #[arg(long, value_name = "N")]
    clients: Option<usize>,
}

impl ProtocolOptions {
    /// The options, then what the file says, for `batch` pictures in all.
    pub fn protocol(&self, info: &GradientInfo, batch: usize) -> anyhow::Result<Protocol> {
        let mode = match self.mode {
            Some(ModeChoice::Eval) => Mode::Eval,
            Some(ModeChoice::Train) => Mode::Train,
            None if info.mode.as_deref() == Some("train") => Mode::Train,
            None => Mode::Eval,
        };
        let clients = self.clients.or(info.clients).unwrap_or(1);
        let each = batch / clients.max(1);
        let local_batch = self.local_batch.or(info.local_batch).unwrap_or(each.max(1));
        let epochs = |epochs: usize| epochs.saturating_mul(each.div_ceil(local_batch.max(1)));
        let steps = self.local_steps.or(self.local_epochs.map(epochs)).or(info.local_steps);
        let loss = self.loss(info)?;
        let in_file = info.local_optimiser.as_deref().map(str::parse).transpose();
        let in_file =
            in_file.map_err(|error: String| misuse(format!("metadata 'local_optimiser': {error}")))?;
        let optimiser = self.local_optimiser.or(in_file);
        let weight_decay = self.weight_decay.or(info.weight_decay);
        let training = |steps, learning_rate| Local {
            optimiser: optimiser.unwrap_or_default(),
            weight_decay: weight_decay.unwrap_or_default(),
            ..Local::sgd(steps, local_batch, learning_rate)
        };
        let local = match (steps, self.local_lr.or(info.local_lr)) {
            (Some(steps), Some(learning_rate)) => Some(training(steps, learning_rate)),
            (Some(_), None) => return Err(misuse("local training needs its learning rate: give --local-lr")),
            (None, Some(learning_rate)) => Some(training(1, learning_rate)),
            (None, None) if optimiser.is_some() || weight_decay.is_some() => {
                return Err(misuse(
                    "--local-optimiser and --weight-decay are of local training: give --local-lr",
                ));
            }
            (None, None) if self.local_batch.is_some() => {
                return Err(misuse("--local-batch needs --local-steps or --local-epochs, and --local-lr"));
            }
            (None, None) => None,
        };
        let protocol = Protocol { mode, clients, local, example_clip: None, loss };
        protocol.check(batch).map_err(misuse)?;
        Ok(protocol)
    }

    fn loss(&self, info: &GradientInfo) -> anyhow::Result<ClientLoss> {
        match &self.loss {
            None => match &info.loss {
                None => Ok(ClientLoss::Mean),
                Some(text) => {
                    text.parse().map_err(|error: String| misuse(format!("metadata 'loss': {error}")))
                }
            },
            Some(text) => match text.strip_prefix("weights:").map(Path::new) {
                Some(path) if path.exists() => {
                    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
                    ClientLoss::weights(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
                }
                _ => text.parse().map_err(|error: String| misuse(format!("--loss: {error}"))),
            },
        }
    }
}
