//! The eavesdropper's side: the attack on what was sent.

use std::time::Instant;

use super::{Audit, AuditError, Captured, ClientBatch, EncodedMeanings};
use crate::{
    attack::{
        AttackError, Hooks,
        config::Optimiser,
        exact::features::{ClassFeatures, LastLayer64},
        guidance::Guide,
        invert::{Reconstruction, Setting, Target, invert_guided, known_labels},
        threat::ThreatModel,
    },
    data::Picture,
    device::Device,
    federated::defence::adapt,
    report::{Timing, Validity},
    watch::{Stage, Watch},
};

/// What came of clients and attack.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `M`: the clients' losses; none where the gradients came from elsewhere.
    pub losses: Vec<f32>,
    /// `M`
    pub found: Vec<Reconstruction>,
    /// `M` × `B`: the best of each.
    pub pictures: Vec<Vec<Picture>>,
    /// `M`: features of the classes that each batch holds, see [`LastLayer64::features_of`].
    pub features: Vec<Option<ClassFeatures>>,
    /// How long the attack took.
    pub timing: Timing,
    /// It was told to stop: what it has is the best so far, perhaps of fewer targets.
    pub interrupted: bool,
    /// `M`: whether the attack did its work; none before [`Audit::validate`].
    pub validity: Vec<Validity>,
    /// `M`, or none where nothing came from files: what speaks against an update being what it is said to be.
    pub doubts: Vec<Vec<String>>,
}

impl Outcome {
    /// Pixels of all best reconstructions, neither clamped nor rounded: `(M·B,C,H,W)`.
    pub fn unrounded(&self, audit: &Audit) -> Vec<f32> {
        let [_, height, width] = audit.victim.image_shape();
        let pixels = |f: &Reconstruction| audit.normalisation.pixels(&f.best().images, height * width);
        self.found.iter().flat_map(pixels).collect()
    }
}

impl Audit {
    /// Trains the clients and attacks what they send, drawn towards these meanings of the labels if there are any; then
    /// tests whether the attack did its work.
    pub fn run(
        &self,
        device: &dyn Device,
        batches: &[ClientBatch],
        meanings: Option<&EncodedMeanings>,
        watch: &dyn Watch,
    ) -> Result<Outcome, AuditError> {
        let Captured { losses, targets } = self.capture(device, batches, watch)?;
        let batch = batches[0].labels.len();
        let found = self.invert_towards(device, batch, &targets, meanings, watch)?;
        let mut outcome = Outcome { losses, ..found };
        self.validate(device, &targets, Some(batches), &mut outcome, watch)?;
        Ok(outcome)
    }

    /// Attacks what batches of `batch` pictures sent, every target under each of its hypotheses if there are any.
    ///
    /// # Errors
    /// The attack uses what the threat model does not grant; what [`invert_guided`] refuses.
    pub fn invert(
        &self,
        device: &dyn Device,
        batch: usize,
        targets: &[Target],
        guide: Option<&Guide>,
        watch: &dyn Watch,
    ) -> Result<Outcome, AuditError> {
        let most = guide.iter().flat_map(|g| g.hypotheses).map(Vec::len).max();
        let stage = match most {
            None => "reconstructing",
            Some(0 | 1) => "reconstructing, guided",
            Some(_) => "reconstructing under hypotheses",
        };
        let stage = Stage::new(watch, stage);
        let started = Instant::now();
        let mut progress = |done: usize, of: usize, latest: &[f32]| stage.iterations(done, of, latest);
        let stop: &(dyn Fn() -> bool + Sync) = &|| watch.is_stopped();
        let found = self.with_setting(batch, |setting| {
            let checkpoints = self.checkpoints.as_deref();
            let hooks = &mut Hooks { progress: &mut progress, stop, checkpoints };
            invert_guided(device, setting, guide, targets, hooks)
        });
        let found = found.map_err(|error| match error {
            AttackError::GuidedLabel { .. } => AuditError::Misuse(format!("--guide: {error}")),
            error => error.into(),
        })?;
        let evaluations = found.iter().flat_map(|r| &r.trials).map(|t| t.history.len()).max().unwrap_or(0);
        let iterations = match self.attack.optimiser {
            // What was computed took none.
            Optimiser::Adam { .. } if evaluations == 0 => 0,
            Optimiser::Adam { .. } => self.attack.iterations,
            Optimiser::Lbfgs { .. } => evaluations,
        };
        let trials = found.iter().map(|r| r.trials.len()).sum();
        let timing = Timing::new(started.elapsed().as_secs_f64(), iterations, trials);
        Ok(Outcome { interrupted: watch.is_stopped(), ..self.outcome(found, targets, timing)? })
    }

    /// What follows from what was found of these targets.
    ///
    /// # Errors
    /// Pictures that the normalisation is not of.
    pub fn outcome(
        &self,
        found: Vec<Reconstruction>,
        targets: &[Target],
        timing: Timing,
    ) -> Result<Outcome, AuditError> {
        let features = found
            .iter()
            .zip(targets)
            .map(|(found, target)| LastLayer64::features_of(&self.victim, &target.gradient, &found.labels));
        Ok(Outcome {
            losses: vec![],
            features: features.collect(),
            pictures: self.pictures(&found)?,
            found,
            timing,
            interrupted: false,
            validity: vec![],
            doubts: vec![],
        })
    }

    /// As [`Audit::invert`], drawn towards these meanings of the labels, which are given or restored before.
    pub fn invert_towards(
        &self,
        device: &dyn Device,
        batch: usize,
        targets: &[Target],
        meanings: Option<&EncodedMeanings>,
        watch: &dyn Watch,
    ) -> Result<Outcome, AuditError> {
        let Some(meanings) = meanings else { return self.invert(device, batch, targets, None, watch) };
        let known: Vec<Vec<usize>> =
            self.known_labels(batch, targets)?.into_iter().map(Option::unwrap_or_default).collect();
        let hypotheses = meanings.hypotheses(&known);
        self.invert(device, batch, targets, Some(&meanings.guide(&hypotheses)), watch)
    }

    /// The labels of each target before the attack: given, or restored; `None` where the attack is to learn them.
    pub fn known_labels(
        &self,
        batch: usize,
        targets: &[Target],
    ) -> Result<Vec<Option<Vec<usize>>>, AuditError> {
        Ok(self.with_setting(batch, |setting| known_labels(setting, targets))?)
    }

    /// The reconstructions as pictures, a list a batch.
    fn pictures(&self, found: &[Reconstruction]) -> Result<Vec<Vec<Picture>>, AuditError> {
        let [_, height, width] = self.victim.image_shape();
        let all = found.iter().map(|f| self.normalisation.denormalise(&f.best().images, height, width));
        Ok(all.collect::<Result<_, _>>()?)
    }

    /// The setting of the attack on batches of `batch` pictures: what this eavesdropper takes the clients to do.
    pub fn with_setting<R>(&self, batch: usize, use_it: impl FnOnce(&Setting) -> R) -> R {
        let (views, protocol) = match self.adaptive {
            true => (
                adapt::views(&self.defences, &self.protocol, batch),
                adapt::protocol(&self.defences, &self.protocol),
            ),
            false => (vec![], self.protocol.clone()),
        };
        let threat = self.threat_model.clone().unwrap_or_else(ThreatModel::insider);
        use_it(&Setting {
            victim: &self.victim,
            protocol: &protocol,
            views: &views,
            batch,
            normalisation: &self.normalisation,
            config: &self.attack,
            generator: self.generator.as_ref(),
            threat: &threat,
            restarts: self.restarts,
            seed: self.seed,
            first: self.first,
        })
    }
}
