//! Gradients that somebody sent: names and pictures, with nothing to judge them by.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{LabelKnowledge, Run, some_outcome};
use crate::{
    attack::{preset::Preset, threat::Use},
    audit::{
        Attacked, Audit, Findings, Observation, Outcome, check_rounds, guidable, naming::Beside,
        public::public_use,
    },
    cli::{
        command_line,
        guidance_options::GuideChoice,
        judge_options::JudgeOptions,
        misuse,
        observation::{Attacking, Observing},
        options::check_apart,
        progress::Terminal,
        resume_options::unless_stopped,
    },
    data::in_natural_order,
    report::Skipped,
};

impl Run {
    pub(super) fn take(self) -> anyhow::Result<()> {
        if self.labels == LabelKnowledge::Given {
            return Err(misuse(
                "--labels given: with --gradient nobody gives them; `gia-gpu invert --labels 3,5` takes them",
            ));
        }
        self.limits.needs_originals()?;
        let victims = self.victim.weights.iter().chain(&self.victim.model.model).chain(&self.round_weights);
        let inputs = self.gradient.iter().chain(victims);
        check_apart("--out", [self.out.path.as_path()], inputs.map(PathBuf::as_path))?;
        if self.guide == Some(GuideChoice::Oracle) {
            return Err(misuse(
                "--guide oracle: with --gradient nobody knows the true names; give label=name,…",
            ));
        }
        // What is wrong with names shows before anything is read.
        let model = if self.examples.is_given() { None } else { self.naming.open(None)? };
        let mut rounds = self.rounds()?;
        for round in &mut rounds {
            if self.guide.is_some() {
                guidable(&round.audit.attack)?;
            }
            round.audit.attack.guidance = self.guidance()?;
        }
        let (audit, batch) = (&rounds[0].audit, rounds[0].batch);
        let device = self.device.open_spread()?;
        let model = match model {
            None if self.examples.is_given() => self.naming_model(audit, None, None, &*device)?,
            model => model,
        };
        // Public pictures compare by the features of one victim.
        let public = match rounds.len() {
            1 => self.public(audit, model.as_ref(), None)?,
            _ => None,
        };
        let judge = self.judge(model.as_ref())?;
        let uses: Vec<Use> = public.iter().map(|_| public_use()).chain(self.examples_use()).collect();
        let (folder, checkpoints) = self.resume.claim(&self.out, &self.force)?;
        let namer = self.namer(model.as_ref(), &*device, batch * self.gradient.len())?;
        let of_judge = JudgeOptions::namer(judge.as_ref(), &*device, batch * self.gradient.len())?;
        let meanings = self.meanings(audit, None, model.as_ref(), &*device)?;

        let (mut outcomes, mut skipped, mut paths) = (vec![], vec![], vec![]);
        let mut before = 0;
        for Observation { audit, targets, doubts, files, .. } in &rounds {
            let audit = Audit { checkpoints: Some(Arc::clone(&checkpoints)), ..audit.clone() };
            let attacked =
                audit.invert_possible(&*device, batch, targets.clone(), meanings.as_ref(), &Terminal);
            let attacked = match attacked {
                // What earlier rounds gave is shown.
                Err(error) if error.is_stopped() && !outcomes.is_empty() => {
                    outcomes.iter_mut().for_each(|outcome: &mut Outcome| outcome.interrupted = true);
                    break;
                }
                attacked => unless_stopped(attacked, folder.path(), &checkpoints)?,
            };
            let Attacked { outcome, kept, skipped: left } = attacked;
            let doubts = kept.iter().map(|&i| doubts[i].clone()).collect();
            outcomes.extend(outcome.map(|outcome| Outcome { doubts, ..outcome }));
            skipped.extend(left.into_iter().map(|s| Skipped { batch: before + s.batch, ..s }));
            paths.extend(kept.into_iter().map(|i| files[i].display().to_string()));
            before += files.len();
        }
        let outcome = some_outcome(Outcome::of_rounds(outcomes), &skipped)?;
        let rows = public.as_ref().map(|public| audit.public_rows(&*device, public, &outcome)).transpose()?;
        let beside = Beside { public: rows.as_ref(), ..Beside::default() };
        let guidance = Run::guidance_record(meanings, namer.as_ref(), of_judge.as_ref());
        let judge = of_judge.map(|namer| self.names(audit, namer, &outcome, None, &beside)).transpose()?;
        let semantic = namer.map(|namer| self.names(audit, namer, &outcome, None, &beside)).transpose()?;
        let findings = Findings {
            command: command_line(),
            data: paths.join(", "),
            threat_model: audit.granted(&uses)?,
            semantic,
            judge,
            guidance,
            files: paths,
            skipped,
            animated: self.gif,
            ..audit.findings(&*device, None, &outcome)?
        };
        self.finish(&findings, folder, &checkpoints)
    }

    /// All files with one victim, or each with its own.
    fn rounds(&self) -> anyhow::Result<Vec<Observation>> {
        let by = Attacking { threat: &self.threat, attack: &self.attack, preset: Preset::Auto };
        let open = |weights: Option<&Path>, gradients: &[PathBuf]| {
            let observing = Observing {
                model: &self.victim.model,
                weights,
                gradients,
                observed: &self.observed,
                protocol: &self.protocol,
                labels: None,
                batch: self.data.batch,
                normalisation: &self.normalisation,
                seed: self.seed,
            };
            observing.open(&by)
        };
        if self.round_weights.is_empty() {
            return Ok(vec![open(self.victim.weights.as_deref(), &self.gradient)?]);
        }
        let (weights, files) = (in_natural_order(&self.round_weights), in_natural_order(&self.gradient));
        if weights.len() != files.len() {
            return Err(misuse(format!(
                "--round-weights: expected {} files, one for each of --gradient, found {}",
                files.len(),
                weights.len()
            )));
        }
        let pairs = weights.iter().zip(&files);
        let rounds = pairs.map(|(weights, file)| open(Some(weights), std::slice::from_ref(file)));
        let mut rounds = rounds.collect::<anyhow::Result<Vec<_>>>()?;
        check_rounds(&rounds)?;
        let names: Vec<String> = weights.iter().map(|path| path.display().to_string()).collect();
        rounds[0].audit.victim.weights = names.join(", ");
        Ok(rounds)
    }
}
