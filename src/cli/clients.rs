//! The simulated clients of `run` and `guide`, before anything is computed: pictures, victim, defences, and what the
//! eavesdropper may know.

use std::path::Path;

use super::{
    data_options::DataOptions,
    defence_options::DefenceOptions,
    model_options::VictimOptions,
    options::{NormalisationOptions, check_apart},
    progress::Terminal,
    protocol_options::ProtocolOptions,
    threat_options::ThreatOptions,
};
use crate::{
    attack::config::AttackConfig,
    audit::{Audit, Clients, GeneratorChoice},
    data::Dataset,
    semantic::ClassOrder,
    tensor_file::GradientInfo,
};

/// The options that say who the clients are.
pub(crate) struct ClientOptions<'a> {
    pub data: &'a DataOptions,
    pub victim: &'a VictimOptions,
    pub protocol: &'a ProtocolOptions,
    pub defence: &'a DefenceOptions,
    pub threat: &'a ThreatOptions,
    pub normalisation: &'a NormalisationOptions,
    /// What makes the attack's pictures, and what is known of its data.
    pub generator: (Option<&'a GeneratorChoice>, Option<&'a str>),
    pub restarts: usize,
    pub labels_given: bool,
    /// Whether class indices are shuffled, so that an index means nothing by its place.
    pub shuffled: bool,
    pub seed: u64,
}

/// Refuses to write a report over the data set, into it or around it.
pub(crate) fn check_out(data: Option<&Path>, out: &Path) -> anyhow::Result<()> {
    check_apart("--out and the data set of --data", [out], data)
}

impl ClientOptions<'_> {
    pub(crate) fn open(&self, dataset: &Dataset, config: AttackConfig) -> anyhow::Result<(Audit, Clients)> {
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.data.batch())?;
        let defences = self.defence.defences(&protocol)?;
        let victim = self.victim.open(self.seed, &DataOptions::known(dataset))?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let mut audit = Audit {
            victim,
            protocol,
            defences,
            adaptive: self.defence.adaptive,
            normalisation,
            attack: config,
            generator: None,
            restarts: self.restarts,
            labels_given: self.labels_given,
            threat_model: self.threat.open()?,
            seed: self.seed,
            first: 0,
            checkpoints: None,
        };
        let (generator, trained_on) = self.generator;
        audit.choose_generator(generator, trained_on, &Terminal)?;
        audit.granted(&[])?;
        let batches = self.data.read(dataset, &audit.victim, self.seed)?;
        let order = match self.shuffled {
            true => ClassOrder::shuffled(audit.victim.model.classes, self.seed),
            false => ClassOrder::kept(audit.victim.model.classes),
        };
        let clients = Clients::new(dataset, &mut audit.victim, order, batches)?;
        Ok((audit, clients))
    }
}
