//! What an attack uses of what the eavesdropper could know.

use super::{Audit, AuditError};
use crate::attack::threat::{Setup, ThreatModel, Use};

impl Audit {
    /// The threat model, after it has granted everything that the attack uses, and `more`.
    ///
    /// # Errors
    /// The first use that is not granted.
    pub fn granted(&self, more: &[Use]) -> Result<ThreatModel, AuditError> {
        let uses = [self.uses(), more.to_vec()].concat();
        match &self.threat_model {
            None => Ok(ThreatModel::of_uses(&uses)),
            Some(model) => {
                model.allow(&uses)?;
                Ok(model.clone())
            }
        }
    }

    fn uses(&self) -> Vec<Use> {
        let setup = Setup {
            config: &self.attack,
            protocol: &self.protocol,
            labels_given: self.labels_given,
            adaptive: self.adaptive,
            batch_norm: self.victim.has_batch_norm(),
            trained: self.generator.as_ref().is_some_and(|generator| generator.from.is_some()),
        };
        setup.uses()
    }
}
