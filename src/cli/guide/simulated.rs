//! Clients of our own: what their labels mean is known, and the ranking can be judged.

use super::{Evidence, Guide, candidates::Candidates};
use crate::{
    attack::config::AttackConfig,
    cli::{
        clients::{ClientOptions, Clients, check_out},
        guidance_options::guidable,
        misuse,
        model_options::DEFAULT_ARCHITECTURE,
        run::report::{Truth, defences_record},
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
        let config = self.config()?;
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            labels_given: false,
            shuffled: true,
            uses: &[],
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let clients = options.open(&dataset, &config)?;
        let Clients { batches, order, .. } = &clients;
        let truth = order.names(&dataset.class_names);
        let candidates =
            Candidates { names: &names, truth: &truth, distractors: self.distractors, seed: self.seed };
        for (number, batch) in batches.iter().enumerate() {
            candidates.check(number, &batch.labels, self.one_to_one)?;
        }
        let model = self.clip.open()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let namer = self.namer(&*device, &*model, &names, self.data.batch() * batches.len())?;
        let experiment = clients.experiment(&*device, &config);
        let (losses, targets) = experiment.capture()?;
        let evidence = Evidence {
            device: &*device,
            setting: experiment.setting(&[], &clients.protocol),
            threat_model: clients.threat_model.clone(),
            data: dataset.name.clone(),
            defences: defences_record(&clients.defences, clients.adaptive),
            candidates,
            truth: Some(Truth { batches, losses: &losses, names: &truth, order }),
            folder,
        };
        experiment.with_setting(|setting| self.explain(evidence, setting, &targets, &*model, namer))
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
