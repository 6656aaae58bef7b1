//! Gradients that somebody sent: names and pictures, with nothing to judge them by.

use super::{
    LabelKnowledge, Run,
    labels::{Parts, name_labels},
    report::Study,
};
use crate::{
    attack::preset::Preset,
    cli::{
        guidance_options::{GuideChoice, guidable},
        misuse,
        observation::{Observation, Observing},
        options::attack_towards,
    },
    report::{Defences, OutputFolder},
};

impl Run {
    pub(super) fn take(self) -> anyhow::Result<()> {
        if self.labels == LabelKnowledge::Given {
            return Err(misuse(
                "--labels given: with --gradient nobody gives them; `gia-gpu invert --labels 3,5` takes them",
            ));
        }
        let Some(weights) = &self.victim.weights else {
            return Err(misuse("--gradient needs the victim's --weights"));
        };
        if self.guide == Some(GuideChoice::Oracle) {
            return Err(misuse(
                "--guide oracle: with --gradient nobody knows the true names; give label=name,…",
            ));
        }
        let choice = self.naming.open(None)?;
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
            preset: Preset::Auto,
            normalisation: &self.normalisation,
        };
        let mut observation = observing.open()?;
        if self.guide.is_some() {
            guidable(&observation.config)?;
        }
        observation.config.guidance = self.guidance()?;
        let Observation { victim, batch, targets, .. } = &observation;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let parts =
            Parts { device: &*device, options: &self.naming, choice: choice.as_ref(), seed: self.seed };
        let namer = parts.namer(batch * targets.len())?;

        let setting = observation.setting(self.attack.trials, self.seed);
        let meanings = self
            .guide
            .as_ref()
            .map(|guide| guide.meanings(victim.model.classes, &[])?.encoded(choice.as_ref(), &*device))
            .transpose()?;
        let (found, timing) = attack_towards(&*device, &setting, meanings.as_ref(), targets)?;
        let pictures = setting.pictures(&found)?;
        let semantic = namer
            .map(|mut namer| name_labels(&parts, &mut namer, &found, &pictures, None, &[]))
            .transpose()?;
        let paths: Vec<String> = self.gradient.iter().map(|path| path.display().to_string()).collect();
        let study = Study {
            device: &*device,
            setting,
            threat_model: observation.threat_model.clone(),
            data: paths.join(", "),
            defences: Defences::default(),
            timing,
            found: &found,
            pictures: &pictures,
            truth: None,
            semantic,
            guidance: meanings.map(|m| m.record()),
        };
        self.finish(&study, folder)
    }
}
