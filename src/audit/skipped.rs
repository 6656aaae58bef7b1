//! Attacks on what can be attacked: a batch of which nothing can be read is left out and listed, and does not end the
//! attack on all others.

use super::{Audit, AuditError, Captured, ClientBatch, EncodedMeanings, Outcome};
use crate::{
    attack::{AttackError, invert::Target, labels::LabelError},
    device::Device,
    report::Skipped,
    watch::Watch,
};

/// What could be attacked, and what became of it.
#[derive(Clone, Debug)]
pub struct Attacked {
    /// Absent where no batch could be.
    pub outcome: Option<Outcome>,
    /// The numbers of the batches that it is of.
    pub kept: Vec<usize>,
    pub skipped: Vec<Skipped>,
}

impl Audit {
    /// As [`Audit::run`], but what cannot be attacked, such as a batch whose gradient is 0, is left out.
    pub fn run_possible(
        &self,
        device: &dyn Device,
        batches: &[ClientBatch],
        meanings: Option<&EncodedMeanings>,
        watch: &dyn Watch,
    ) -> Result<Attacked, AuditError> {
        let Captured { losses, mut targets } = self.capture(device, batches, watch)?;
        let mut attacked = self.attack_possible(device, batches[0].labels.len(), &mut targets, meanings, watch)?;
        if let Some(outcome) = &mut attacked.outcome {
            outcome.losses = attacked.kept.iter().map(|&number| losses[number]).collect();
            let own: Vec<ClientBatch> = attacked.kept.iter().map(|&i| batches[i].clone()).collect();
            self.validate(device, &targets, Some(&own), outcome, watch)?;
        }
        Ok(attacked)
    }

    /// As [`Audit::invert_towards`], but what cannot be attacked is left out; then tests whether the attack did its work, see
    /// [`Audit::validate`].
    pub fn invert_possible(
        &self,
        device: &dyn Device,
        batch: usize,
        mut targets: Vec<Target>,
        meanings: Option<&EncodedMeanings>,
        watch: &dyn Watch,
    ) -> Result<Attacked, AuditError> {
        let mut attacked = self.attack_possible(device, batch, &mut targets, meanings, watch)?;
        if let Some(outcome) = &mut attacked.outcome {
            self.validate(device, &targets, None, outcome, watch)?;
        }
        Ok(attacked)
    }

    /// The same, not yet tested; what was left out is gone from the targets.
    pub fn attack_possible(
        &self,
        device: &dyn Device,
        batch: usize,
        targets: &mut Vec<Target>,
        meanings: Option<&EncodedMeanings>,
        watch: &dyn Watch,
    ) -> Result<Attacked, AuditError> {
        let mut kept: Vec<usize> = (0..targets.len()).collect();
        let mut skipped = vec![];
        while !targets.is_empty() {
            let error = match self.invert_towards(device, batch, targets, meanings, watch) {
                Ok(outcome) => {
                    // Told to stop, an attack has but the first of them.
                    kept.truncate(outcome.found.len());
                    return Ok(Attacked { outcome: Some(outcome), kept, skipped });
                }
                Err(error) => error,
            };
            let Some((target, reason)) = unreadable(&error) else { return Err(error) };
            targets.remove(target);
            skipped.push(Skipped { batch: kept.remove(target), reason });
        }
        Ok(Attacked { outcome: None, kept, skipped })
    }
}

/// The target of which nothing can be read and why, where that is the error.
fn unreadable(error: &AuditError) -> Option<(usize, String)> {
    let AuditError::Attack(error) = error else { return None };
    match error {
        AttackError::ZeroGradient { target } => {
            Some((*target, "the gradient is 0 in every element: there is nothing in it to attack".into()))
        }
        AttackError::NotFinite { target } => {
            Some((*target, "no trial had a finite objective, from the first iteration on".into()))
        }
        AttackError::Labels { target, cause } => match cause {
            LabelError::NotFinite { .. }
            | LabelError::ZeroGradient
            | LabelError::NoNegative { .. }
            | LabelError::NotConverged { .. } => Some((*target, cause.to_string())),
            _ => None,
        },
        _ => None,
    }
}
