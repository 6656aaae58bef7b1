//! What an audit found: whether something leaks, how sure that is, what to try next. One rule for every command.

mod chance;
mod labels;
mod membership;
mod names;
mod pictures;
mod rule;
mod words;

pub use names::measure as names;
pub use rule::{Attacked, Grounds, Measure};

use super::{Audit, AuditError, Clients, Outcome, judged::Judged};
use crate::{attack::invert::LabelSource, data::SAMPLES, semantic::SemanticReport};

impl Audit {
    /// What a verdict on this outcome rests on. `known`: the clients, and their pictures beside the reconstructions, where
    /// the originals are known.
    ///
    /// # Errors
    /// Pictures that cannot be compared.
    pub fn grounds(
        &self,
        outcome: &Outcome,
        known: Option<(&Clients, &Judged)>,
        semantic: Option<&SemanticReport>,
    ) -> Result<Grounds, AuditError> {
        let found = &outcome.found;
        let clients = known.map(|(clients, _)| clients);
        let pictures = |(clients, judged)| pictures::measure(&outcome.pictures, clients, judged, self.seed);
        let labels = |clients| labels::measure(found, clients, self.victim.model.classes, self.seed);
        Ok(Grounds {
            pictures: known.map(pictures).transpose()?.flatten(),
            knows_originals: known.is_some(),
            membership: None,
            labels: clients.and_then(labels),
            names: semantic.and_then(names::measure),
            attacked: Attacked {
                validity: outcome.validity.clone(),
                is_defended: !self.defences.is_empty(),
                labels_warned: found.iter().filter(|f| !f.label_warnings.is_empty()).count(),
                labels_given: found.iter().all(|f| f.label_source == LabelSource::Given),
            },
            batches: found.len(),
            is_interrupted: outcome.interrupted,
            is_demonstration: clients.is_some_and(|clients| clients.data == SAMPLES),
        })
    }
}
