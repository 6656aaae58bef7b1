//! An attack without guidance, which says which hypotheses are likely, then one under each of these.

use super::{Candidates, Evidence, HypothesesError, Reconstructed, Trials};
use crate::{
    attack::{
        guidance::{Guide, Hypothesis},
        invert::Target,
    },
    audit::{AuditError, NamingModel, Outcome},
    clip::zero_shot::Namer,
    data::Picture,
    device::Device,
    watch::{Silent, Stage, Watch},
};

/// Where hypotheses come from, and what tries them.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// What compares pictures with names, and all names.
    pub model: &'a NamingModel,
    /// What candidates come from.
    pub candidates: Candidates<'a>,
    /// Whether no two indices may share a name.
    pub one_to_one: bool,
    /// Most hypotheses that are tried for a batch: those that the unguided reconstruction makes most likely.
    pub beam: usize,
}

/// What became of `M` targets.
pub struct Found {
    /// Without guidance.
    pub unguided: Outcome,
    /// `M`: what was tried.
    pub trials: Vec<Trials>,
    /// Under all hypotheses: the restarts of each in turn.
    pub guided: Outcome,
}

impl Search<'_> {
    /// Attacks the targets without guidance, then under the likely hypotheses, from the same starts and with the same
    /// budget: λ and its schedule are the audit's. `namer`: the model, ready.
    ///
    /// # Errors
    /// No hypothesis is to be tried, other candidates than the model's names, and what the attack refuses.
    pub fn run(
        &self,
        evidence: &Evidence,
        targets: &[Target],
        namer: &mut Namer,
        watch: &dyn Watch,
    ) -> Result<Found, HypothesesError> {
        if self.beam == 0 {
            return Err(HypothesesError::NoBeam);
        }
        if self.candidates.names != namer.labels {
            let problem = "candidates: expected the names of the model that compares pictures with them";
            return Err(AuditError::misuse(problem).into());
        }
        let Evidence { audit, batch, .. } = *evidence;
        // Without guidance first: it restores the labels, says which hypotheses are likely, and is what guidance is
        // held against.
        let mut unguided = audit.invert(self.device, batch, targets, None, watch)?;
        let clients = evidence.clients.map(|clients| &clients.batches[..]);
        audit.validate(self.device, targets, clients, &mut unguided, watch)?;
        let trials = self.trials(evidence, &unguided, namer, watch)?;

        let hypotheses: Vec<Vec<Hypothesis>> = trials.iter().map(Trials::meanings).collect();
        let width = namer.vectors.len() / namer.labels.len();
        let encoder = &*self.model.encoder;
        let guide = Guide { encoder, names: &namer.vectors, width, hypotheses: &hypotheses, oracle: false };
        let guided = audit.invert(self.device, batch, targets, Some(&guide), watch)?;
        Ok(Found { unguided, trials, guided })
    }

    /// What is tried for each batch, by what its unguided pictures look like.
    fn trials(
        &self,
        evidence: &Evidence,
        unguided: &Outcome,
        namer: &mut Namer,
        watch: &dyn Watch,
    ) -> Result<Vec<Trials>, HypothesesError> {
        let stage = Stage::new(watch, "comparing with names");
        let head = self.model.encoder.head();
        let mut trials = vec![];
        for (number, (found, pictures)) in unguided.found.iter().zip(&unguided.pictures).enumerate() {
            let call =
                |picture: &Picture| (format!("a reconstruction of batch {number}"), Ok(picture.clone()));
            let rows = namer.rows(pictures.iter().map(call), &Silent).map_err(AuditError::from)?;
            let seen = Reconstructed { number, labels: &found.labels, cosine: &rows.cosine };
            let labels = evidence.clients.map(|clients| &clients.batches[number].labels[..]);
            trials.push(self.candidates.hypotheses(labels, seen, head, self.one_to_one, self.beam)?);
            stage.count(number + 1, unguided.found.len());
        }
        Ok(trials)
    }
}
