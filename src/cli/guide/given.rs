//! Gradients that somebody sent: hypotheses are ranked, and nobody here knows which is true.

use std::path::PathBuf;

use super::{Guide, named, some_left};
use crate::{
    audit::{Observation, Readable},
    cli::{
        command_line,
        judge_options::JudgeOptions,
        misuse,
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
        let given = self.comparison.open()?;
        let judge = self.judge.open(&model)?;
        let by = Attacking { threat: &self.threat, attack: &self.attack, preset: self.preset() };
        let Observation { mut audit, batch, files, targets, .. } = observing.open(&by)?;
        audit.attack = self.configured(audit.attack.clone())?;
        let candidates = Candidates { names: &model.names, truth: &[], distractors: None, seed: self.seed };
        let (Readable { targets, kept, skipped }, known) = audit.readable(batch, targets)?;
        some_left(&kept, &skipped)?;
        let known: Vec<&[usize]> = known.iter().map(|labels| labels.as_deref().unwrap_or_default()).collect();
        self.check(&candidates, &known)?;
        let device = self.device.open_spread()?;
        let public = self.comparison.parts(&*device, &audit, given.as_ref(), &model.names, None)?;
        let search = self.search(&*device, &model, candidates, &public);
        search.check(&audit).map_err(named)?;
        let (folder, checkpoints) = self.resume.claim(&self.out, &self.force)?;
        audit.checkpoints = Some(checkpoints);
        let mut namer = self.namer(&*device, &model, batch * targets.len())?;
        let mut of_judge = JudgeOptions::namer(judge.as_ref(), &*device, batch * targets.len())?;
        let paths: Vec<String> = kept.iter().map(|&i| files[i].display().to_string()).collect();
        let evidence = Evidence {
            audit: &audit,
            threat_model: audit.granted(&public.uses())?,
            batch,
            data: paths.join(", "),
            clients: None,
            losses: vec![],
            skipped,
        };
        let found = self.searched(&folder, &search, &evidence, &targets, &mut namer)?;
        let (readers, notes) =
            self.read((&evidence, &search, &found), &mut namer, judge.as_ref().zip(of_judge.as_mut()))?;
        let (command, readers, notes) = (command_line(), &readers[..], &notes[..]);
        let (evidence, search, found) = (&evidence, &search, &found);
        self.finish(&Explanation { evidence, search, found, readers, notes, command }, folder)
    }
}
