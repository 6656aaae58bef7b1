//! Attacks on what can be attacked: a batch of which nothing can be read is left out and listed, and does not end the
//! attack on all others.

use super::{Audit, AuditError, Captured, ClientBatch, EncodedMeanings, Outcome};
use crate::{
    attack::{AttackError, invert::Target},
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
    /// Batches that were left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Targets of which something can be read so far, and those that were left out.
#[derive(Clone, Debug)]
pub struct Readable {
    /// In order.
    pub targets: Vec<Target>,
    /// Their numbers among all.
    pub kept: Vec<usize>,
    /// Batches that were left out, and why.
    pub skipped: Vec<Skipped>,
}

impl Readable {
    /// All whose gradient is not 0 in every element.
    pub fn of(targets: Vec<Target>) -> Readable {
        let kept = (0..targets.len()).collect();
        let mut readable = Readable { targets, kept, skipped: vec![] };
        while let Some(zero) = readable.targets.iter().position(Target::is_zero) {
            readable.leave_out(zero, ZERO.into());
        }
        readable
    }

    fn leave_out(&mut self, target: usize, reason: String) {
        self.targets.remove(target);
        self.skipped.push(Skipped { batch: self.kept.remove(target), reason });
    }

    /// What comes of work on all that can be read: a target that it refuses as unreadable is left out, and it is done
    /// again; `None` where none is left.
    fn attempt<R>(
        &mut self,
        mut work: impl FnMut(&[Target]) -> Result<R, AuditError>,
    ) -> Result<Option<R>, AuditError> {
        while !self.targets.is_empty() {
            let error = match work(&self.targets) {
                Ok(result) => return Ok(Some(result)),
                Err(error) => error,
            };
            let Some((target, reason)) = unreadable(&error) else { return Err(error) };
            self.leave_out(target, reason);
        }
        Ok(None)
    }
}

/// A target's labels; `None`: the attack is to learn them.
pub(crate) type Known = Option<Vec<usize>>;

/// Why a batch whose gradient is 0 is left out.
pub const ZERO: &str = "the gradient is 0 in every element: there is nothing in it to attack";

impl Audit {
    /// The targets whose labels can be restored, with these; the others are left out.
    ///
    /// # Errors
    /// What no other target would be better at.
    pub fn readable(&self, batch: usize, targets: Vec<Target>) -> Result<(Readable, Vec<Known>), AuditError> {
        let mut readable = Readable::of(targets);
        let known = readable.attempt(|targets| self.known_labels(batch, targets))?;
        Ok((readable, known.unwrap_or_default()))
    }

    /// As [`Audit::run`], but what cannot be attacked, such as a batch whose gradient is 0, is left out.
    pub fn run_possible(
        &self,
        device: &dyn Device,
        batches: &[ClientBatch],
        meanings: Option<&EncodedMeanings>,
        watch: &dyn Watch,
    ) -> Result<Attacked, AuditError> {
        let captured = self.capture(device, batches, watch)?;
        self.attack_captured(device, batches, captured, meanings, watch)
    }

    /// The same of what these clients were found to send.
    pub fn attack_captured(
        &self,
        device: &dyn Device,
        batches: &[ClientBatch],
        Captured { losses, mut targets }: Captured,
        meanings: Option<&EncodedMeanings>,
        watch: &dyn Watch,
    ) -> Result<Attacked, AuditError> {
        let mut attacked =
            self.attack_possible(device, batches[0].labels.len(), &mut targets, meanings, watch)?;
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
        let mut readable = Readable::of(std::mem::take(targets));
        let outcome =
            readable.attempt(|targets| self.invert_towards(device, batch, targets, meanings, watch))?;
        let Readable { targets: own, mut kept, skipped } = readable;
        *targets = own;
        // Told to stop, an attack has but the first of them.
        kept.truncate(outcome.as_ref().map_or(0, |outcome| outcome.found.len()));
        Ok(Attacked { outcome, kept, skipped })
    }
}

/// The target of which nothing can be read and why, where that is the error.
fn unreadable(error: &AuditError) -> Option<(usize, String)> {
    let AuditError::Attack(error) = error else { return None };
    match error {
        AttackError::ZeroGradient { target } => Some((*target, ZERO.into())),
        AttackError::NotFinite { target } => {
            Some((*target, "no trial had a finite objective, from the first iteration on".into()))
        }
        AttackError::Labels { target, cause } if cause.is_of_one_gradient() => {
            Some((*target, cause.to_string()))
        }
        _ => None,
    }
}
