//! Gradient files, as the options say that they are to be read.

use std::path::{Path, PathBuf};

use super::{
    attack_options::AttackOptions,
    model_options::ModelOptions,
    observed::ObservedOptions,
    options::{NormalisationOptions, check_batch, indices},
    progress::Terminal,
    protocol_options::ProtocolOptions,
    threat_options::ThreatOptions,
};
use crate::{
    attack::{config::AttackConfig, preset::Preset},
    audit::{GradientFiles, Observation, Said},
};

/// The options that decide how files are read.
pub(crate) struct Observing<'a> {
    pub model: &'a ModelOptions,
    pub weights: Option<&'a Path>,
    /// At least one.
    pub gradients: &'a [PathBuf],
    pub observed: &'a ObservedOptions,
    pub protocol: &'a ProtocolOptions,
    /// Of one file.
    pub labels: Option<&'a str>,
    pub batch: Option<usize>,
    pub normalisation: &'a NormalisationOptions,
    pub seed: u64,
}

/// The options that decide how they are attacked.
pub(crate) struct Attacking<'a> {
    pub threat: &'a ThreatOptions,
    pub attack: &'a AttackOptions,
    /// Where none is given.
    pub preset: Preset,
}

impl Observing<'_> {
    /// Reads all files, and refuses an attack that the threat model does not grant.
    pub(crate) fn open(&self, by: &Attacking) -> anyhow::Result<Observation> {
        let mut observation = self.read(|architecture| by.attack.config_or(by.preset, architecture))?;
        let audit = &mut observation.audit;
        audit.restarts = by.attack.trials;
        audit.threat_model = by.threat.open()?;
        by.attack.generator.open_for(audit)?;
        audit.granted(&[])?;
        Ok(observation)
    }

    /// Reads all files; `config`: the attack on a victim of this architecture.
    pub(crate) fn read(
        &self,
        config: impl FnOnce(&str) -> anyhow::Result<AttackConfig>,
    ) -> anyhow::Result<Observation> {
        let files = GradientFiles::open(self.weights, self.gradients)?;
        let request = files.request(&self.model.network()?)?;
        let config = config(&request.name)?;
        if let Some(batch) = self.batch {
            check_batch(batch)?;
        }
        let said = Said {
            training: self.protocol.training()?,
            kind: self.observed.kind(),
            trusted: self.observed.trust_file,
            batch: self.batch,
            labels: self.labels.map(|text| indices("--labels", text)).transpose()?,
            normalisation: self.normalisation.given()?,
        };
        let mut observation = files.observe(&request, config, &said, &Terminal)?;
        observation.audit.seed = self.seed;
        Ok(observation)
    }
}
