//! Gradients that somebody sent: hypotheses are ranked, and nobody here knows which is true.

use super::{Evidence, Guide, candidates::Candidates};
use crate::{
    audit::{Observation, guidable},
    cli::{misuse, observation::Observing},
    report::OutputFolder,
};

impl Guide {
    pub(super) fn take(self) -> anyhow::Result<()> {
        let Some(weights) = &self.victim.weights else {
            return Err(misuse("--gradient needs the victim's --weights"));
        };
        let names = self.all_names(None)?;
        let observing = Observing {
            model: &self.victim.model,
            weights,
            gradients: &self.gradient,
            observed: &self.observed,
            protocol: &self.protocol,
            threat: &self.threat,
            labels: None,
            batch: self.data.batch,
            attack: &self.attack,
            normalisation: &self.normalisation,
            seed: self.seed,
        };
        let Observation { mut audit, batch, targets } = observing.open()?;
        guidable(&audit.attack)?;
        audit.attack.guidance = Some(self.guidance.guidance()?);
        let candidates = Candidates { names: &names, truth: &[], distractors: None, seed: self.seed };
        for (number, labels) in audit.known_labels(batch, &targets)?.iter().enumerate() {
            candidates.check(number, labels.as_deref().unwrap_or_default(), self.one_to_one)?;
        }
        let model = self.clip.open()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let namer = self.namer(&*device, &*model, &names, batch * targets.len())?;
        let paths: Vec<String> = self.gradient.iter().map(|path| path.display().to_string()).collect();
        let evidence = Evidence {
            device: &*device,
            threat_model: audit.granted(&[])?,
            audit,
            data: paths.join(", "),
            candidates,
            clients: None,
            losses: vec![],
            folder,
        };
        self.explain(evidence, batch, &targets, &*model, namer)
    }
}
