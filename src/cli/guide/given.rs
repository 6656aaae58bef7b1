//! Gradients that somebody sent: hypotheses are ranked, and nobody here knows which is true.

use std::path::PathBuf;

use super::{Guide, some_left};
use crate::{
    attack::preset::Preset,
    audit::{Observation, Readable, guidable},
    cli::{
        command_line, misuse,
        observation::{Attacking, Observing},
        options::check_apart,
    },
    hypotheses::{Candidates, Evidence, Explanation},
};

impl Guide {
    pub(super) fn take(self) -> anyhow::Result<()> {
        if self.victim.weights.is_none() && self.victim.model.model.is_none() {
            return Err(misuse("--gradient needs the victim's --weights, or --model"));
        }
        let inputs = self.gradient.iter().chain(&self.victim.weights).chain(&self.victim.model.model);
        check_apart("--out", [self.out.path.as_path()], inputs.map(PathBuf::as_path))?;
        let model = self.model(None)?;
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
        let by = Attacking { threat: &self.threat, attack: &self.attack, preset: Preset::Ig };
        let Observation { mut audit, batch, files, targets, .. } = observing.open(&by)?;
        guidable(&audit.attack)?;
        audit.attack.guidance = Some(self.guidance.guidance()?);
        let candidates = Candidates { names: &model.names, truth: &[], distractors: None, seed: self.seed };
        let (Readable { targets, kept, skipped }, known) = audit.readable(batch, targets)?;
        some_left(&kept, &skipped)?;
        let known: Vec<&[usize]> = known.iter().map(|labels| labels.as_deref().unwrap_or_default()).collect();
        self.check(&candidates, &known)?;
        let (folder, checkpoints) = self.resume.claim(&self.out, &self.force)?;
        audit.checkpoints = Some(checkpoints);
        let device = self.device.open_spread()?;
        let mut namer = self.namer(&*device, &model, batch * targets.len())?;
        let paths: Vec<String> = kept.iter().map(|&i| files[i].display().to_string()).collect();
        let evidence = Evidence {
            audit: &audit,
            threat_model: audit.granted(&[])?,
            batch,
            data: paths.join(", "),
            clients: None,
            losses: vec![],
            skipped,
        };
        let search = self.search(&*device, &model, candidates);
        let found = self.searched(&folder, &search, &evidence, &targets, &mut namer)?;
        let command = command_line();
        self.finish(&Explanation { evidence: &evidence, search: &search, found: &found, command }, folder)
    }
}
