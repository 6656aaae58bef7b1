//! An attack without guidance, which says which hypotheses are likely; then what each of these comes to; then, where there are
//! public pictures to learn it from, what a lead is worth.

use super::{
    Candidates, Comparison, Evidence, HypothesesError, Ranking, Reconstructed, Trials,
    calibration::{Calibration, Scored},
    conditional,
    contest::{Compared, Gradients, Question, scored},
    rank,
};
use crate::{
    attack::invert::Target,
    audit::{Audit, AuditError, FeatureNames, NamingModel, Outcome, Public},
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
    /// How they are compared.
    pub comparison: Comparison,
    /// What names features, for the comparison by these.
    pub features: Option<&'a FeatureNames>,
    /// What leads are held against.
    pub calibrate: Option<Calibrate<'a>>,
}

/// What calibration learns from.
#[derive(Clone, Copy)]
pub struct Calibrate<'a> {
    /// Pictures with names that anybody may have.
    pub public: &'a Public,
    /// Gradients of them.
    pub gradients: usize,
}

/// What became of `M` targets.
pub struct Found {
    /// Without guidance.
    pub unguided: Outcome,
    /// `M`: what was tried.
    pub trials: Vec<Trials>,
    /// Under all hypotheses: the restarts of each in turn. Absent where they were compared without an attack.
    pub guided: Option<Outcome>,
    /// `M`: what the hypotheses came to.
    pub compared: Vec<Compared>,
    /// What leads are worth.
    pub calibration: Option<Calibration>,
}

impl Search<'_> {
    /// Refuses, before anything is attacked, what cannot be compared.
    ///
    /// # Errors
    /// A generator that knows no classes or not all names, where each name is asked of it; no public pictures, where these say
    /// what features mean.
    pub fn check(&self, audit: &Audit) -> Result<(), HypothesesError> {
        let names = self.candidates.names;
        match self.comparison {
            Comparison::Conditional => {
                let all = (0..names.len()).collect();
                conditional::classes_of(audit.generator.as_ref(), names, &all).map(drop)
            }
            Comparison::Features if self.features.is_none() => Err(HypothesesError::NoPublic),
            _ => Ok(()),
        }
    }

    /// Attacks the targets without guidance, then compares the likely hypotheses, from the same starts and with the same budget: λ
    /// and its schedule are the audit's. `namer`: the model, ready.
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
        let questions: Vec<Question> = unguided
            .found
            .iter()
            .zip(&trials)
            .map(|(found, trials)| trials.question(&found.labels))
            .collect();
        let gradients = Gradients { audit, batch, targets, features: &unguided.features };
        let (compared, guided) = self.contest(gradients, &questions, namer, watch)?;
        let like: Vec<Vec<usize>> = unguided.found.iter().map(|found| found.labels.clone()).collect();
        let candidates = trials.first().map_or(0, |trials| trials.candidates.len());
        let calibration = match self.calibrate {
            Some(calibrate) => self.calibration(audit, calibrate, (&like, candidates), namer, watch)?,
            None => None,
        };
        Ok(Found { unguided, trials, guided, compared, calibration })
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
            let cosine = cosines(namer, number, pictures)?;
            let seen = Reconstructed { number, labels: &found.labels, cosine: &cosine };
            let labels = evidence.clients.map(|clients| &clients.batches[number].labels[..]);
            trials.push(self.candidates.hypotheses(labels, seen, head, self.one_to_one, self.beam)?);
            stage.count(number + 1, unguided.found.len());
        }
        Ok(trials)
    }
}

impl Found {
    /// What each hypothesis about a batch came to, and what naming without guidance says of it.
    pub(super) fn scored(&self, number: usize) -> Scored {
        let trials = &self.trials[number];
        let question = trials.question(&self.unguided.found[number].labels);
        scored(&question, &self.compared[number], &trials.kept.products, trials.place_of_truth())
    }

    /// The hypotheses about a batch in order: by what they came to, and where there is a calibration with what their names come to
    /// without reason taken off.
    pub fn ranking(&self, number: usize) -> Ranking {
        let losses = &self.compared[number].losses;
        match &self.calibration {
            Some(calibration) => rank(&calibration.adjusted(&self.scored(number), losses)),
            None => rank(losses),
        }
    }

    /// The pictures of the hypothesis that ranks first; those without guidance where hypotheses were compared without any.
    pub fn believed(&self, audit: &Audit, number: usize) -> Result<Vec<Picture>, AuditError> {
        let Some(guided) = &self.guided else { return Ok(self.unguided.pictures[number].clone()) };
        let first = self.ranking(number).order[0].hypothesis;
        let losses = &self.compared[number].losses[first];
        let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap_or(0);
        let trial = &guided.found[number].trials[first * losses.len() + best];
        let [_, height, width] = audit.victim.image_shape();
        Ok(audit.normalisation.denormalise(&trial.images, height, width)?)
    }
}

/// Of reconstructions and all names, `(B,N)`.
pub(super) fn cosines(
    namer: &mut Namer,
    number: usize,
    pictures: &[Picture],
) -> Result<Vec<Vec<f64>>, AuditError> {
    let call = |picture: &Picture| (format!("a reconstruction of batch {number}"), Ok(picture.clone()));
    Ok(namer.rows(pictures.iter().map(call), &Silent)?.cosine)
}
