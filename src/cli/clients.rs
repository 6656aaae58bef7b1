//! The simulated clients of `run` and `guide`, before anything is computed: pictures, victim, defences, and what the
//! eavesdropper may know.

use std::path::Path;

use super::{
    data_options::DataOptions,
    defence_options::DefenceOptions,
    experiment::{ClientBatch, Experiment},
    misuse,
    model_options::VictimOptions,
    options::{NormalisationOptions, same_file},
    protocol_options::ProtocolOptions,
    threat_options::ThreatOptions,
};
use crate::{
    attack::{
        config::AttackConfig,
        threat::{Setup, ThreatModel, Use},
    },
    data::{Dataset, Normalisation},
    device::{Device, host},
    federated::{Protocol, Victim, defence::Defence},
    semantic::ClassOrder,
    tensor_file::GradientInfo,
};

/// The options that say who the clients are.
pub struct ClientOptions<'a> {
    pub data: &'a DataOptions,
    pub victim: &'a VictimOptions,
    pub protocol: &'a ProtocolOptions,
    pub defence: &'a DefenceOptions,
    pub threat: &'a ThreatOptions,
    pub normalisation: &'a NormalisationOptions,
    pub labels_given: bool,
    /// Whether class indices are shuffled, so that an index means nothing by its place.
    pub shuffled: bool,
    /// What the eavesdropper uses beside what the attack's configuration says.
    pub uses: &'a [Use],
    pub restarts: usize,
    pub seed: u64,
}

/// What they come to.
pub struct Clients {
    /// In the order of the class indices.
    pub victim: Victim,
    pub protocol: Protocol,
    pub defences: Vec<Defence>,
    pub adaptive: bool,
    pub labels_given: bool,
    pub threat_model: ThreatModel,
    pub normalisation: Normalisation,
    /// With class indices as labels.
    pub batches: Vec<ClientBatch>,
    pub order: ClassOrder,
    restarts: usize,
    seed: u64,
}

/// Refuses to write a report into the data set.
pub fn check_out(data: Option<&Path>, out: &Path) -> anyhow::Result<()> {
    match data {
        Some(data) if same_file(data, out) => Err(misuse(format!(
            "--out {} is the data set: its report would become part of it",
            out.display()
        ))),
        _ => Ok(()),
    }
}

impl ClientOptions<'_> {
    pub fn open(&self, dataset: &Dataset, config: &AttackConfig) -> anyhow::Result<Clients> {
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.data.batch())?;
        let defences = self.defence.defences(&protocol)?;
        let mut victim = self.victim.open(self.seed, &DataOptions::known(dataset))?;
        let setup = Setup {
            config,
            protocol: &protocol,
            labels_given: self.labels_given,
            adaptive: self.defence.adaptive,
            batch_norm: victim.has_batch_norm(),
        };
        let threat_model = self.threat.check_with(&setup, self.uses)?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let mut batches = self.data.read(dataset, &victim, self.seed)?;
        let order = match self.shuffled {
            true => ClassOrder::shuffled(victim.model.classes, self.seed),
            false => ClassOrder::kept(victim.model.classes),
        };
        order.apply(&mut victim);
        batches.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let bytes = victim.gradient_bytes().saturating_mul(batches.len() as u64);
        host::check(|| format!("holding the gradients of {} batches", batches.len()), bytes)?;
        Ok(Clients {
            victim,
            protocol,
            defences,
            adaptive: self.defence.adaptive,
            labels_given: self.labels_given,
            threat_model,
            normalisation,
            batches,
            order,
            restarts: self.restarts,
            seed: self.seed,
        })
    }
}

impl Clients {
    /// Their training steps, and the attack on what they send.
    pub fn experiment<'a>(&'a self, device: &'a dyn Device, config: &'a AttackConfig) -> Experiment<'a> {
        Experiment {
            device,
            victim: &self.victim,
            protocol: &self.protocol,
            normalisation: &self.normalisation,
            config,
            threat: &self.threat_model,
            batches: &self.batches,
            defences: &self.defences,
            adaptive: self.adaptive,
            labels_given: self.labels_given,
            restarts: self.restarts,
            seed: self.seed,
        }
    }
}
