//! Gradients that somebody sent: names and pictures, with nothing to judge them by.

use super::{LabelKnowledge, Run, some_outcome};
use crate::{
    audit::{Attacked, Findings, Observation, Outcome, guidable},
    cli::{command_line, guidance_options::GuideChoice, misuse, observation::Observing, progress::Terminal},
    report::OutputFolder,
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
        let model = self.naming.open(None)?;
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
        let Observation { mut audit, batch, targets, doubts } = observing.open()?;
        if self.guide.is_some() {
            guidable(&audit.attack)?;
        }
        audit.attack.guidance = self.guidance()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let namer = self.namer(model.as_ref(), &*device, batch * targets.len())?;
        let meanings = self.meanings(&audit, None, model.as_ref(), &*device)?;

        let Attacked { outcome, kept, skipped } =
            audit.invert_possible(&*device, batch, targets, meanings.as_ref(), &Terminal)?;
        let doubts = kept.iter().map(|&i| doubts[i].clone()).collect();
        let outcome = Outcome { doubts, ..some_outcome(outcome, &skipped)? };
        let semantic = namer.map(|namer| self.names(&audit, namer, &outcome, None, &[])).transpose()?;
        let paths: Vec<String> = kept.iter().map(|&i| self.gradient[i].display().to_string()).collect();
        let findings = Findings {
            command: command_line(),
            data: paths.join(", "),
            semantic,
            guidance: meanings.map(|m| m.record()),
            skipped,
            ..audit.findings(&*device, None, &outcome)?
        };
        self.finish(&findings, folder)
    }
}
