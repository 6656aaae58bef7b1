//! Clients of our own: what their labels mean is known, and the ranking can be judged.

use super::{Guide, named, some_left};
use crate::{
    attack::config::AttackConfig,
    audit::{Captured, Clients, Readable},
    cli::{
        clients::{ClientOptions, check_out},
        command_line,
        judge_options::JudgeOptions,
        misuse,
        progress::Terminal,
    },
    hypotheses::{Candidates, Evidence, Explanation},
};

/// Most iterations on the embedded samples, unless told otherwise: a first try is short.
const DEMONSTRATION: usize = 600;

impl Guide {
    pub(super) fn simulate(self) -> anyhow::Result<()> {
        if !self.observed.is_default() {
            return Err(misuse("--kind says what a file of --gradient holds: there is none"));
        }
        let dataset = self.data.open()?;
        check_out(self.data.data.as_deref(), &self.out.path)?;
        let model = self.model(Some(&dataset.class_names))?;
        let config = self.config()?;
        let given = self.comparison.open()?;
        let judge = self.judge.open(&model)?;
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            generator: self.attack.generator.choice(),
            restarts: self.attack.trials,
            labels_given: false,
            shuffled: true,
            seed: self.seed,
        };
        let (mut audit, clients) = options.open(&dataset, config)?;
        let truth = clients.names.clone();
        let candidates =
            Candidates { names: &model.names, truth: &truth, distractors: self.distractors, seed: self.seed };
        let labels: Vec<&[usize]> = clients.batches.iter().map(|batch| &batch.labels[..]).collect();
        self.check(&candidates, &labels)?;
        let device = self.device.open_spread()?;
        let public = self.comparison.parts(&*device, &audit, given.as_ref(), &model.names, Some(&clients))?;
        let search = self.search(&*device, &model, candidates, &public);
        search.check(&audit).map_err(named)?;
        let (folder, checkpoints) = self.resume.claim(&self.out, &self.force)?;
        audit.checkpoints = Some(checkpoints);
        let mut namer = self.namer(&*device, &model, clients.batch() * clients.batches.len())?;
        let mut of_judge =
            JudgeOptions::namer(judge.as_ref(), &*device, clients.batch() * clients.batches.len())?;
        let Captured { losses, targets } = audit.capture(&*device, &clients.batches, &Terminal)?;
        let (Readable { targets, kept, skipped }, _) = audit.readable(clients.batch(), targets)?;
        some_left(&kept, &skipped)?;
        let losses = kept.iter().map(|&i| losses[i]).collect();
        let batches = kept.iter().map(|&i| clients.batches[i].clone()).collect();
        let clients = Clients { batches, ..clients };
        let evidence = Evidence {
            audit: &audit,
            threat_model: audit.granted(&public.uses())?,
            batch: clients.batch(),
            data: clients.data.clone(),
            clients: Some(&clients),
            losses,
            skipped,
        };
        let found = self.searched(&folder, &search, &evidence, &targets, &mut namer)?;
        let (readers, notes) =
            self.read((&evidence, &search, &found), &mut namer, judge.as_ref().zip(of_judge.as_mut()))?;
        let (command, readers, notes) = (command_line(), &readers[..], &notes[..]);
        let (evidence, search, found) = (&evidence, &search, &found);
        self.finish(&Explanation { evidence, search, found, readers, notes, command }, folder)
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.name();
        let mut config = self.configured(self.attack.config_or(self.preset(), name)?)?;
        if self.data.data.is_none() && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        Ok(config)
    }
}
