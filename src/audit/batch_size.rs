//! How many pictures a file is of.

use super::{AuditError, GradientFiles, Said, sent::kind_of};
use crate::{
    attack::{config::AttackConfig, exact, way::Way},
    federated::{Shares, Victim, received::Received},
    watch::Watch,
};

/// Of the range finder, which any seed serves.
const SEED: u64 = 0;

impl GradientFiles {
    /// Of the gradient file, of the user, or the number of labels; for SPEAR, where none says, the rank of its layer's
    /// gradient.
    pub(super) fn batch_size(
        &self,
        said: &Said,
        attack: &AttackConfig,
        victim: &Victim,
        watch: &dyn Watch,
    ) -> Result<usize, AuditError> {
        let path = self.path().display();
        if let (Some(file), Some(option)) = (self.info().batch_size, said.batch)
            && file != option
        {
            return Err(AuditError::Misuse(format!(
                "--batch: expected {file}, the batch size in {path}, found {option}"
            )));
        }
        let from_labels = said.labels.as_ref().map(Vec::len);
        let from_clients = said.training.clients.as_ref().and_then(Shares::pictures);
        if let Some(batch) = self.info().batch_size.or(said.batch).or(from_labels).or(from_clients) {
            return Ok(batch);
        }
        let Way::Spear(settings) = &attack.way else {
            return Err(AuditError::Misuse(format!(
                "{path} does not say its batch size: give --batch or --labels"
            )));
        };
        let (rank, layer) = self.rank(said, settings, victim)?;
        watch.note(&format!(
            "{path}: {rank} pictures, by the rank of the gradient of '{layer}'; a picture that stands in the batch twice \
             counts once (--batch)"
        ));
        Ok(rank)
    }

    /// Of the first file: a factor does not change it.
    fn rank(
        &self,
        said: &Said,
        settings: &exact::Spear,
        victim: &Victim,
    ) -> Result<(usize, String), AuditError> {
        let info = self.info();
        let each = said.training.local_batch.or(info.local_batch).unwrap_or(1);
        let of_file = || info.clients.as_deref().and_then(|text| text.parse::<Shares>().ok());
        let clients = said.training.clients.clone().or_else(of_file).unwrap_or_default();
        let batch = clients.pictures().unwrap_or(each * clients.clients());
        let protocol = said.training.protocol(info, batch)?;
        let kind = kind_of(said.kind, info, self.path(), &protocol)?;
        let received = Received::read(self.files[0].clone(), victim, &protocol, kind, batch, false)?;
        exact::batch::check_protocol(&protocol, batch)?;
        Ok(exact::batch::count(victim, &received.gradient, settings, SEED)?)
    }
}
