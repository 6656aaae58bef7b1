//! Clients of our own: what their labels mean is known, and the ranking can be judged.

use super::{Evidence, Guide, candidates::Candidates};
use crate::{
    attack::config::AttackConfig,
    audit::{Captured, guidable},
    cli::{
        clients::{ClientOptions, check_out},
        misuse,
        model_options::DEFAULT_ARCHITECTURE,
        progress::Terminal,
    },
    report::OutputFolder,
};

/// Most iterations on the embedded samples, unless told otherwise: a first try is short.
const DEMONSTRATION: usize = 600;

impl Guide {
    pub(super) fn simulate(self) -> anyhow::Result<()> {
        if !self.observed.is_default() {
            return Err(misuse("--kind says what a file of --gradient holds: there is none"));
        }
        let dataset = self.data.open()?;
        check_out(self.data.data.as_deref(), &self.out)?;
        let names = self.all_names(Some(&dataset.class_names))?;
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            labels_given: false,
            shuffled: true,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let (audit, clients) = options.open(&dataset, self.config()?)?;
        let candidates = Candidates {
            names: &names,
            truth: &clients.names,
            distractors: self.distractors,
            seed: self.seed,
        };
        for (number, batch) in clients.batches.iter().enumerate() {
            candidates.check(number, &batch.labels, self.one_to_one)?;
        }
        let model = self.clip.open()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let namer = self.namer(&*device, &*model, &names, clients.batch() * clients.batches.len())?;
        let Captured { losses, targets } = audit.capture(&*device, &clients.batches, &Terminal)?;
        let evidence = Evidence {
            device: &*device,
            threat_model: audit.granted(&[])?,
            audit,
            data: clients.data.clone(),
            candidates,
            clients: Some(&clients),
            losses,
            folder,
        };
        self.explain(evidence, clients.batch(), &targets, &*model, namer)
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.arch.as_deref().unwrap_or(DEFAULT_ARCHITECTURE);
        let mut config = self.attack.config(name)?;
        guidable(&config)?;
        if self.data.data.is_none() && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        config.guidance = Some(self.guidance.guidance()?);
        Ok(config)
    }
}
