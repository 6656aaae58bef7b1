//! Gradients that somebody sent: hypotheses are ranked, and nobody here knows which is true.

use super::{Evidence, Guide, candidates::Candidates};
use crate::{
    attack::invert::known_labels,
    cli::{
        guidance_options::guidable,
        misuse,
        observation::{Observation, Observing},
    },
    report::{Defences, OutputFolder},
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
        };
        let mut observation = observing.open()?;
        guidable(&observation.config)?;
        observation.config.guidance = Some(self.guidance.guidance()?);
        let targets = std::mem::take(&mut observation.targets);
        let Observation { batch, .. } = observation;
        let setting = observation.setting(self.attack.trials, self.seed);
        let candidates = Candidates { names: &names, truth: &[], distractors: None, seed: self.seed };
        for (number, labels) in known_labels(&setting, &targets)?.iter().enumerate() {
            candidates.check(number, labels.as_deref().unwrap_or_default(), self.one_to_one)?;
        }
        let model = self.clip.open()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let namer = self.namer(&*device, &*model, &names, batch * targets.len())?;
        let paths: Vec<String> = self.gradient.iter().map(|path| path.display().to_string()).collect();
        let evidence = Evidence {
            device: &*device,
            setting,
            threat_model: observation.threat_model.clone(),
            data: paths.join(", "),
            defences: Defences::default(),
            candidates,
            truth: None,
            folder,
        };
        self.explain(evidence, &setting, &targets, &*model, namer)
    }
}
