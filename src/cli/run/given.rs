//! Gradients that somebody sent: names and pictures, with nothing to judge them by.

use super::{LabelKnowledge, Run, some_outcome};
use crate::{
    attack::{preset::Preset, threat::Use},
    audit::{Attacked, Findings, Observation, Outcome, guidable, naming::Beside, public::public_use},
    cli::{
        command_line,
        guidance_options::GuideChoice,
        misuse,
        observation::{Attacking, Observing},
        progress::Terminal,
    },
    report::OutputFolder,
};

impl Run {
    pub(super) fn take(self) -> anyhow::Result<()> {
        if self.labels == LabelKnowledge::Given {
            return Err(misuse(
                "--labels given: with --gradient nobody gives them; `gia-gpu invert --labels 3,5` takes them",
            ));
        }
        self.limits.needs_originals()?;
        if self.victim.weights.is_none() && self.victim.model.model.is_none() {
            return Err(misuse("--gradient needs the victim's --weights, or --model"));
        }
        if self.guide == Some(GuideChoice::Oracle) {
            return Err(misuse(
                "--guide oracle: with --gradient nobody knows the true names; give label=name,…",
            ));
        }
        // What is wrong with names shows before anything is read.
        let model = if self.examples.is_given() { None } else { self.naming.open(None)? };
        let observing = Observing {
            model: &self.victim.model,
            weights: self.victim.weights.as_deref(),
            gradients: &self.gradient,
            observed: &self.observed,
            protocol: &self.protocol,
            labels: None,
            batch: self.data.batch,
            normalisation: &self.normalisation,
            seed: self.seed,
        };
        let by = Attacking { threat: &self.threat, attack: &self.attack, preset: Preset::Auto };
        let Observation { mut audit, batch, targets, doubts } = observing.open(&by)?;
        if self.guide.is_some() {
            guidable(&audit.attack)?;
        }
        audit.attack.guidance = self.guidance()?;
        let device = self.device.open()?;
        let model = match model {
            None if self.examples.is_given() => self.naming_model(&audit, None, None, &*device)?,
            model => model,
        };
        let public = self.public(&audit, model.as_ref(), None)?;
        let uses: Vec<Use> = public.iter().map(|_| public_use()).chain(self.examples_use()).collect();
        let folder = OutputFolder::open(&self.out)?;
        let namer = self.namer(model.as_ref(), &*device, batch * targets.len())?;
        let meanings = self.meanings(&audit, None, model.as_ref(), &*device)?;

        let Attacked { outcome, kept, skipped } =
            audit.invert_possible(&*device, batch, targets, meanings.as_ref(), &Terminal)?;
        let doubts = kept.iter().map(|&i| doubts[i].clone()).collect();
        let outcome = Outcome { doubts, ..some_outcome(outcome, &skipped)? };
        let rows = public.as_ref().map(|public| audit.public_rows(&*device, public, &outcome)).transpose()?;
        let beside = Beside { public: rows.as_ref(), ..Beside::default() };
        let semantic = namer.map(|namer| self.names(&audit, namer, &outcome, None, &beside)).transpose()?;
        let paths: Vec<String> = kept.iter().map(|&i| self.gradient[i].display().to_string()).collect();
        let findings = Findings {
            command: command_line(),
            data: paths.join(", "),
            threat_model: audit.granted(&uses)?,
            semantic,
            guidance: meanings.map(|m| m.record()),
            skipped,
            animated: self.gif,
            ..audit.findings(&*device, None, &outcome)?
        };
        self.finish(&findings, folder)
    }
}
