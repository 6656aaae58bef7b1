//! What the client does before it sends.

use clap::Args;

use super::{help::group, spelled::spelled};
use crate::{
    audit::{Training, read_loss},
    federated::{LocalOptimiser, Protocol, Shares},
    nn::Mode,
    tensor_file::GradientInfo,
};

/// The client's training.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::CLIENT)]
pub(crate) struct ProtocolOptions {
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
    #[arg(long, value_name = "L", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Loss that the client trains on, the mean cross entropy if not given
    ///
    /// mean, sum, smoothing:S (label smoothing), weights:FILE (a file with a number for each class, or the numbers
    /// themselves as in weights:1,0.5,2) or bce (binary cross entropy of every logit).
    #[arg(long, value_name = "F")]
    loss: Option<String>,
    /// Clients whose mean is sent: how many share the pictures equally, or the pictures of each, as in 3,5,8
    ///
    /// Each client counts by its pictures, as in FedAvg. The sizes say the batch, too.
    #[arg(long, value_name = "N|N,N,…")]
    clients: Option<Shares>,
}

impl ProtocolOptions {
    /// What the options say.
    pub(crate) fn training(&self) -> anyhow::Result<Training> {
        Ok(Training {
            mode: self.mode,
            local_steps: self.local_steps,
            local_epochs: self.local_epochs,
            local_lr: self.local_lr,
            local_batch: self.local_batch,
            local_optimiser: self.local_optimiser,
            weight_decay: self.weight_decay,
            loss: self.loss.as_deref().map(read_loss).transpose()?,
            clients: self.clients.clone(),
        })
    }

    /// The pictures of all clients, where --clients says them.
    pub(crate) fn pictures(&self) -> Option<usize> {
        self.clients.as_ref().and_then(Shares::pictures)
    }

    /// The options, then what the file says, for `batch` pictures in all.
    pub(crate) fn protocol(&self, info: &GradientInfo, batch: usize) -> anyhow::Result<Protocol> {
        Ok(self.training()?.protocol(info, batch)?)
    }
}
