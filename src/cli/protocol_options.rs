//! What the client does before it sends.

use std::{fs, path::Path};

use anyhow::Context;
use clap::Args;

use super::{help::group, misuse, spelled::spelled};
use crate::{
    federated::{ClientLoss, Local, LocalOptimiser, Protocol},
    nn::Mode,
    tensor_file::GradientInfo,
};

/// The client's training.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::CLIENT)]
pub struct ProtocolOptions {
    /// Batch norm of the client
    #[arg(long, value_parser = spelled::<Mode>())]
    mode: Option<Mode>,
    /// Steps of local training (FedAvg), whose update is sent
    ///
    /// What is sent is then the update, not the gradient.
    #[arg(long, value_name = "N")]
    local_steps: Option<usize>,
    /// Epochs of local training, in place of --local-steps
    #[arg(long, value_name = "E", conflicts_with = "local_steps")]
    local_epochs: Option<usize>,
    /// Learning rate of local training
    ///
    /// It alone means one step; --local-steps and --local-epochs say more.
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    local_lr: Option<f64>,
    /// Pictures of a local step, all of the client's if not given
    #[arg(long, value_name = "N")]
    local_batch: Option<usize>,
    /// Optimiser of local training, plain SGD if not given
    #[arg(long, value_name = "O", value_parser = spelled::<LocalOptimiser>())]
    local_optimiser: Option<LocalOptimiser>,
    /// Weight decay of local training, 0 if not given
    ///
    /// As PyTorch's optimiser takes it.
    #[arg(long, value_name = "L")]
    weight_decay: Option<f64>,
    /// Loss that the client trains on, the mean cross entropy if not given
    ///
    /// mean, sum, smoothing:S (label smoothing), weights:FILE (a file with a number for each class, or the numbers
    /// themselves as in weights:1,0.5,2) or bce (binary cross entropy of every logit).
    #[arg(long, value_name = "F")]
    loss: Option<String>,
    /// Clients with equally many of the pictures, whose mean is sent
    #[arg(long, value_name = "N")]
    clients: Option<usize>,
}

impl ProtocolOptions {
    /// Whether the mode of batch norm is among them.
    pub fn says_mode(&self) -> bool {
        self.mode.is_some()
    }

    /// The options, then what the file says, for `batch` pictures in all.
    pub fn protocol(&self, info: &GradientInfo, batch: usize) -> anyhow::Result<Protocol> {
        let in_file = || info.mode.as_deref().and_then(|mode| mode.parse().ok());
        let mode = self.mode.or_else(in_file).unwrap_or_default();
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
