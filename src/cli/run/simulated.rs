//! Pictures that are known: clients compute their gradients here, and what is found is judged.

use std::{collections::BTreeSet, sync::Arc};

use super::{ClassOrderChoice, DEMONSTRATION_BATCHES, LabelKnowledge, Run, some_outcome};
use crate::{
    attack::threat::{Knowledge, Use},
    audit::{Attacked, Clients, Findings, naming::Beside, public::public_use},
    cli::{
        clients::{ClientOptions, check_out},
        command_line,
        guidance_options::GuideChoice,
        judge_options::JudgeOptions,
        misuse,
        progress::Terminal,
        resume_options::unless_stopped,
    },
    metrics::lpips::Lpips,
};

impl Run {
    pub(super) fn simulate(mut self) -> anyhow::Result<()> {
        if !self.observed.is_default() {
            return Err(misuse("--kind says what a file of --gradient holds: there is none"));
        }
        let dataset = self.data.open()?;
        check_out(self.data.data.as_deref(), &self.out.path)?;
        if self.is_demonstration() {
            let most = (dataset.len() / self.data.batch()).clamp(1, DEMONSTRATION_BATCHES);
            self.data.batches.get_or_insert(most);
        }
        let config = self.attack_config()?;
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            generator: self.attack.generator.choice(),
            restarts: self.attack.trials,
            labels_given: self.labels == LabelKnowledge::Given,
            shuffled: self.class_order == ClassOrderChoice::Shuffled,
            seed: self.seed,
        };
        let (mut audit, clients) = options.open(&dataset, config)?;
        let oracle = Use::new(Knowledge::TrueNames, "guidance by the true names (--guide oracle)");
        let mut uses = if self.guide == Some(GuideChoice::Oracle) { vec![oracle] } else { vec![] };
        audit.granted(&uses)?;
        uses.extend(self.examples_use());
        let lpips = self.lpips.as_deref().map(Lpips::read).transpose()?;
        let device = self.device.open_spread()?;
        let model = self.naming_model(&audit, Some(&clients), Some(&dataset.class_names), &*device)?;
        if let Some(model) = &model {
            let held: BTreeSet<usize> =
                clients.batches.iter().flat_map(|b| b.labels.iter().copied()).collect();
            self.naming.check_count(model, held.len())?;
        }
        let judge = self.judge(model.as_ref())?;
        let public = self.public(&audit, model.as_ref(), Some(&clients))?;
        uses.extend(public.as_ref().map(|_| public_use()));
        let threat_model = audit.granted(&uses)?;
        let (folder, checkpoints) = self.resume.claim(&self.out, &self.force)?;
        audit.checkpoints = Some(Arc::clone(&checkpoints));
        let unrelated = match model {
            Some(_) if clients.batches.len() == 1 => clients.unrelated(&dataset, &audit.victim)?,
            _ => vec![],
        };
        let count = clients.batch() * clients.batches.len();
        let namer = self.namer(model.as_ref(), &*device, count)?;
        let of_judge = JudgeOptions::namer(judge.as_ref(), &*device, count)?;
        let meanings = self.meanings(&audit, Some(&clients), model.as_ref(), &*device)?;

        let attacked = audit.run_possible(&*device, &clients.batches, meanings.as_ref(), &Terminal);
        let Attacked { outcome, kept, skipped } = unless_stopped(attacked, folder.path(), &checkpoints)?;
        let outcome = some_outcome(outcome, &skipped)?;
        let batches = kept.iter().map(|&i| clients.batches[i].clone()).collect();
        let clients = Clients { batches, ..clients };
        let rows = public.as_ref().map(|public| audit.public_rows(&*device, public, &outcome)).transpose()?;
        let beside = Beside { unrelated: &unrelated, public: rows.as_ref() };
        let guidance = Run::guidance_record(meanings, namer.as_ref(), of_judge.as_ref());
        let judge =
            of_judge.map(|namer| self.names(&audit, namer, &outcome, Some(&clients), &beside)).transpose()?;
        let semantic =
            namer.map(|namer| self.names(&audit, namer, &outcome, Some(&clients), &beside)).transpose()?;
        let findings = Findings {
            command: command_line(),
            threat_model,
            semantic,
            judge,
            guidance,
            skipped,
            animated: self.gif,
            ..audit.findings(&*device, Some(&clients), &outcome)?
        };
        let findings = match &lpips {
            Some(lpips) => {
                let likeness = audit.likeness(&*device, &clients, &outcome.pictures, Some(lpips))?;
                Findings { likeness, ..findings }
            }
            None => findings,
        };
        // What was found is written whether or not there is advice on it.
        let (advice, failed) = match self.advise.advice(&findings, &dataset, &*device) {
            Ok(advice) => (advice, Ok(())),
            Err(error) => (None, Err(error.context("--advise"))),
        };
        self.finish(&Findings { advice, ..findings }, folder, &checkpoints)?;
        failed
    }
}
