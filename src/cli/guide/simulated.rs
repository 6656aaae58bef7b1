//! Clients of our own: what their labels mean is known, and the ranking can be judged.

use super::{Guide, some_left};
use crate::{
    attack::config::AttackConfig,
    audit::{Captured, Clients, Readable, guidable},
    cli::{
        clients::{ClientOptions, check_out},
        command_line, misuse,
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
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            attack: &self.attack,
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
        let (folder, checkpoints) = self.resume.claim(&self.out, &self.force)?;
        audit.checkpoints = Some(checkpoints);
        let device = self.device.open_spread()?;
        let mut namer = self.namer(&*device, &model, clients.batch() * clients.batches.len())?;
        let Captured { losses, targets } = audit.capture(&*device, &clients.batches, &Terminal)?;
        let (Readable { targets, kept, skipped }, _) = audit.readable(clients.batch(), targets)?;
        some_left(&kept, &skipped)?;
        let losses = kept.iter().map(|&i| losses[i]).collect();
        let batches = kept.iter().map(|&i| clients.batches[i].clone()).collect();
        let clients = Clients { batches, ..clients };
        let evidence = Evidence {
            audit: &audit,
            threat_model: audit.granted(&[])?,
            batch: clients.batch(),
            data: clients.data.clone(),
            clients: Some(&clients),
            losses,
            skipped,
        };
        let search = self.search(&*device, &model, candidates);
        let found = self.searched(&folder, &search, &evidence, &targets, &mut namer)?;
        let command = command_line();
        self.finish(&Explanation { evidence: &evidence, search: &search, found: &found, command }, folder)
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.name();
        let mut config = self.attack.config(name)?;
        guidable(&config)?;
        if self.data.data.is_none() && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        config.guidance = Some(self.guidance.guidance()?);
        Ok(config)
    }
}
