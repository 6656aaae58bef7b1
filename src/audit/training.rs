//! What the client does before it sends: what the user says, and what a file says.

use super::AuditError;
use crate::{
    federated::{Local, Protocol},
    nn::Mode,
    tensor_file::GradientInfo,
};

/// What the user says; what is `None` the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Training {
    /// Of the client's batch norm.
    pub mode: Option<Mode>,
    pub local_steps: Option<usize>,
    /// In place of steps.
    pub local_epochs: Option<usize>,
    pub local_lr: Option<f64>,
    pub local_batch: Option<usize>,
    pub clients: Option<usize>,
}

impl Training {
    /// The protocol of `batch` pictures in all.
    ///
    /// # Errors
    /// Local training of which too little is known, or that these pictures do not allow.
    pub fn protocol(&self, info: &GradientInfo, batch: usize) -> Result<Protocol, AuditError> {
        let in_file = || info.mode.as_deref().and_then(|mode| mode.parse().ok());
        let mode = self.mode.or_else(in_file).unwrap_or_default();
        let clients = self.clients.or(info.clients).unwrap_or(1);
        let each = batch / clients.max(1);
        let local_batch = self.local_batch.or(info.local_batch).unwrap_or(each.max(1));
        let epochs = |epochs: usize| epochs.saturating_mul(each.div_ceil(local_batch.max(1)));
        let steps = self.local_steps.or(self.local_epochs.map(epochs)).or(info.local_steps);
        let local = match (steps, self.local_lr.or(info.local_lr)) {
            (Some(steps), Some(learning_rate)) => Some(Local { steps, batch: local_batch, learning_rate }),
            (Some(_), None) => {
                return Err(AuditError::misuse("local training needs its learning rate: give --local-lr"));
            }
            (None, Some(learning_rate)) => Some(Local { steps: 1, batch: local_batch, learning_rate }),
            (None, None) if self.local_batch.is_some() => {
                return Err(AuditError::misuse(
                    "--local-batch needs --local-steps or --local-epochs, and --local-lr",
                ));
            }
            (None, None) => None,
        };
        let protocol = Protocol { mode, clients, local, example_clip: None };
        protocol.check(batch).map_err(AuditError::misuse)?;
        Ok(protocol)
    }
}
