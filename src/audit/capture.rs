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
    /// Trains the clients, each on its batch; all batches are as large, at least one.
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
        let batch = batches[0].labels.len();
        let mut client = Defended::new(device, victim, protocol, defences, batch)?;
        let (mut losses, mut targets) = (vec![], vec![]);
        let stage = Stage::new(watch, "capturing");
        for (number, pictures) in batches.iter().enumerate() {
            let images = self.normalisation.normalise(&pictures.pictures)?;
            let update = client.update(&images, &pictures.labels, self.seed, number)?;
            losses.push(update.loss);
            let statistics = wants_statistics.then(|| {
                let counts = victim.model.statistics_counts(batch / protocol.clients);
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
