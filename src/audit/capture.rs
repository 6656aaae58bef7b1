//! The clients' side: what they send.

use super::{Audit, AuditError, ClientBatch};
use crate::{
    attack::invert::Target,
    device::Device,
    federated::{
        defence::{Defended, adapt},
        observed::batch_statistics,
    },
    nn::Mode,
    watch::{Stage, Watch},
};

/// What the clients' training comes to.
#[derive(Clone, Debug)]
pub struct Captured {
    /// `M`: the clients' losses.
    pub losses: Vec<f32>,
    /// `M`: what the eavesdropper works on.
    pub targets: Vec<Target>,
}

impl Audit {
    /// Trains the clients, each on its batch.
    ///
    /// # Errors
    /// No batch, an empty one, or batches of several sizes; statistics that a client in evaluation mode does not have; what
    /// the clients' training refuses.
    pub fn capture(
        &self,
        device: &dyn Device,
        batches: &[ClientBatch],
        watch: &dyn Watch,
    ) -> Result<Captured, AuditError> {
        let Audit { victim, protocol, defences, .. } = self;
        let wants_statistics = self.wants_statistics();
        if wants_statistics && protocol.mode != Mode::Train {
            return Err(AuditError::misuse(
                "--bn-target batch: a client in eval mode returns no statistics of its batch: give --mode train",
            ));
        }
        let batch = batches.first().map_or(0, |batch| batch.labels.len());
        if batch == 0 || batches.iter().any(|b| b.labels.len() != batch || b.pictures.len() != batch) {
            let sizes: Vec<usize> = batches.iter().map(|b| b.labels.len().min(b.pictures.len())).collect();
            return Err(AuditError::Misuse(format!(
                "expected batches of one size, 1 picture or more with a label each, found {sizes:?}"
            )));
        }
        let mut client = Defended::new(device, victim, protocol, defences, batch)?;
        let (mut losses, mut targets) = (vec![], vec![]);
        let stage = Stage::new(watch, "capturing");
        for (number, pictures) in batches.iter().enumerate() {
            let images = self.normalisation.normalise(&pictures.pictures)?;
            let update = client.update(&images, &pictures.labels, self.seed, self.first + number)?;
            losses.push(update.loss);
            let statistics = wants_statistics.then(|| {
                let counts = victim.model.statistics_counts(protocol.clients.mean(batch));
                batch_statistics(victim, protocol, &update.buffers, &counts)
            });
            let weights = match self.adaptive {
                true => adapt::weights(defences, protocol, batch, &update.gradient),
                false => None,
            };
            let labels = self.labels_given.then(|| pictures.labels.clone());
            targets.push(Target { gradient: update.gradient, labels, weights, statistics });
            stage.count(targets.len(), batches.len());
        }
        Ok(Captured { losses, targets })
    }
}
