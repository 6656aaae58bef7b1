//! What the client does before it sends.

use clap::Args;

use super::{help::group, misuse, spelled::spelled};
use crate::{
    federated::{Local, Protocol},
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
    /// Clients with equally many of the pictures, whose mean is sent
    #[arg(long, value_name = "N")]
    clients: Option<usize>,
}

impl ProtocolOptions {
    /// The options, then what the file says, for `batch` pictures in all.
    pub fn protocol(&self, info: &GradientInfo, batch: usize) -> anyhow::Result<Protocol> {
        let in_file = || info.mode.as_deref().and_then(|mode| mode.parse().ok());
        let mode = self.mode.or_else(in_file).unwrap_or_default();
        let clients = self.clients.or(info.clients).unwrap_or(1);
        let each = batch / clients.max(1);
        let local_batch = self.local_batch.or(info.local_batch).unwrap_or(each.max(1));
        let epochs = |epochs: usize| epochs.saturating_mul(each.div_ceil(local_batch.max(1)));
        let steps = self.local_steps.or(self.local_epochs.map(epochs)).or(info.local_steps);
        let local = match (steps, self.local_lr.or(info.local_lr)) {
            (Some(steps), Some(learning_rate)) => Some(Local { steps, batch: local_batch, learning_rate }),
            (Some(_), None) => return Err(misuse("local training needs its learning rate: give --local-lr")),
            (None, Some(learning_rate)) => Some(Local { steps: 1, batch: local_batch, learning_rate }),
            (None, None) if self.local_batch.is_some() => {
                return Err(misuse("--local-batch needs --local-steps or --local-epochs, and --local-lr"));
            }
            (None, None) => None,
        };
        let protocol = Protocol { mode, clients, local, example_clip: None };
        protocol.check(batch).map_err(misuse)?;
        Ok(protocol)
    }
}
