//! What an attack uses of what the eavesdropper could know.

use super::{Audit, AuditError};
use crate::{
    attack::{
        config::StatisticsTarget,
        threat::{Knowledge, ThreatModel, Use},
    },
    nn::Mode,
};

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
        let Audit { victim, protocol, attack, .. } = self;
        let mut uses = vec![
            Use::new(Knowledge::Weights, "gradient matching"),
            Use::new(Knowledge::Update, "gradient matching"),
            Use::new(Knowledge::BatchSize, "gradient matching"),
            Use::new(Knowledge::DataStatistics, "the step from pixels to the network's input"),
        ];
        if self.labels_given {
            uses.push(Use::new(Knowledge::Labels, "an attack that is given the labels"));
        }
        if victim.has_batch_norm() && protocol.mode == Mode::Eval {
            uses.push(Use::new(Knowledge::RunningStatistics, "batch norm in eval mode"));
        }
        if victim.has_batch_norm() && attack.batch_norm != 0.0 {
            uses.push(match attack.batch_norm_target {
                StatisticsTarget::Running => Use::new(Knowledge::RunningStatistics, "the batch-norm prior"),
                StatisticsTarget::Batch => Use::new(Knowledge::BatchStatistics, "the batch-norm prior"),
            });
        }
        if protocol.local.is_some() {
            uses.push(Use::new(Knowledge::LocalTraining, "matching the simulated local training"));
        }
        if self.adaptive {
            uses.push(Use::new(Knowledge::Defence, "the adaptive eavesdropper"));
        }
        uses
    }
}
