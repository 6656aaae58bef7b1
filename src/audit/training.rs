//! What the client does before it sends: what the user says, and what a file says.

use std::path::Path;

use super::AuditError;
use crate::{
    federated::{ClientLoss, Local, LocalOptimiser, Protocol, Shares},
    files::incoming,
    nn::Mode,
    tensor_file::GradientInfo,
};

/// What the user says; what is `None` the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// Of the client's batch norm.
    pub mode: Option<Mode>,
    /// Steps of local training.
    pub local_steps: Option<usize>,
    /// In place of steps.
    pub local_epochs: Option<usize>,
    /// η of local training.
    pub local_lr: Option<f64>,
    /// Pictures of one local step.
    pub local_batch: Option<usize>,
    /// The rule of local training.
    pub local_optimiser: Option<LocalOptimiser>,
    /// λ of local training.
    pub weight_decay: Option<f64>,
    /// What the client trains on.
    pub loss: Option<ClientLoss>,
    /// Clients whose mean is observed.
    pub clients: Option<Shares>,
}

impl Training {
    /// The protocol of `batch` pictures in all.
    ///
    /// # Errors
    /// Local training of which too little is known, or that these pictures do not allow.
    pub fn protocol(&self, info: &GradientInfo, batch: usize) -> Result<Protocol, AuditError> {
        let in_file = || info.mode.as_deref().and_then(|mode| mode.parse().ok());
        let mode = self.mode.or_else(in_file).unwrap_or_default();
        let clients = match &self.clients {
            Some(clients) => clients.clone(),
            None => of_file("clients", info.clients.as_deref())?.unwrap_or_default(),
        };
        let local = self.local(info, clients.largest(batch))?;
        let loss = match &self.loss {
            Some(loss) => loss.clone(),
            None => of_file("loss", info.loss.as_deref())?.unwrap_or_default(),
        };
        let protocol = Protocol { mode, clients, local, example_clip: None, loss };
        protocol.check(batch).map_err(AuditError::misuse)?;
        Ok(protocol)
    }

    /// Of clients with up to `each` pictures.
    fn local(&self, info: &GradientInfo, each: usize) -> Result<Option<Local>, AuditError> {
        let batch = self.local_batch.or(info.local_batch).unwrap_or(each.max(1));
        // What the user says of the one overrules what a file says of the other.
        let said = self.local_steps.or(self.local_epochs).is_some();
        let epochs = self.local_epochs.or(info.local_epochs.filter(|_| !said));
        let steps_of = |epochs: usize| epochs.saturating_mul(each.div_ceil(batch.max(1)));
        let steps = self.local_steps.or(epochs.map(steps_of)).or(info.local_steps);
        let in_file = of_file("local_optimiser", info.local_optimiser.as_deref())?;
        let optimiser = self.local_optimiser.or(in_file);
        let weight_decay = self.weight_decay.or(info.weight_decay);
        let training = |steps, learning_rate| Local {
            epochs,
            optimiser: optimiser.unwrap_or_default(),
            weight_decay: weight_decay.unwrap_or_default(),
            ..Local::sgd(steps, batch, learning_rate)
        };
        match (steps, self.local_lr.or(info.local_lr)) {
            (Some(steps), Some(learning_rate)) => Ok(Some(training(steps, learning_rate))),
            (Some(_), None) => {
                Err(AuditError::misuse("local training needs its learning rate: give --local-lr"))
            }
            (None, Some(learning_rate)) => Ok(Some(training(1, learning_rate))),
            (None, None) if optimiser.is_some() || weight_decay.is_some() => Err(AuditError::misuse(
                "--local-optimiser and --weight-decay are of local training: give --local-lr",
            )),
            (None, None) if self.local_batch.is_some() => {
                Err(AuditError::misuse("--local-batch needs --local-steps or --local-epochs, and --local-lr"))
            }
            (None, None) => Ok(None),
        }
    }
}

/// What a gradient file says under `key`.
fn of_file<T: std::str::FromStr<Err = String>>(
    key: &str,
    text: Option<&str>,
) -> Result<Option<T>, AuditError> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error| AuditError::Misuse(format!("metadata '{key}': {error}")))
}

/// `mean`, `smoothing:0.1`, or `weights:FILE` with a number for each class.
///
/// # Errors
/// A file that cannot be read; what is no loss.
pub fn read_loss(text: &str) -> Result<ClientLoss, AuditError> {
    let path = text.strip_prefix("weights:").map(Path::new).filter(|path| path.is_file());
    let Some(path) = path else {
        return text.parse().map_err(|error| AuditError::Misuse(format!("--loss: {error}")));
    };
    let of_path = |error: String| AuditError::File(format!("{}: {error}", path.display()));
    let weights = incoming::read_text(path).map_err(|error| of_path(error.to_string()))?;
    ClientLoss::weights(&weights).map_err(of_path)
}
