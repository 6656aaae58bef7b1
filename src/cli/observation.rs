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
use crate::audit::{GradientFiles, Observation, Said};

/// The options that decide how files are read.
pub struct Observing<'a> {
    pub model: &'a ModelOptions,
    pub weights: Option<&'a Path>,
    /// At least one.
    pub gradients: &'a [PathBuf],
    pub observed: &'a ObservedOptions,
    pub protocol: &'a ProtocolOptions,
    pub threat: &'a ThreatOptions,
    /// Of one file.
    pub labels: Option<&'a str>,
    pub batch: Option<usize>,
    pub attack: &'a AttackOptions,
    pub normalisation: &'a NormalisationOptions,
    pub seed: u64,
}

impl Observing<'_> {
    /// Reads all files, and refuses an attack that the threat model does not grant.
    pub fn open(&self) -> anyhow::Result<Observation> {
        let files = GradientFiles::open(self.weights, self.gradients)?;
        let request = files.request(&self.model.network()?)?;
        let config = self.attack.config(&request.name)?;
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
        let audit = &mut observation.audit;
        audit.restarts = self.attack.trials;
        audit.threat_model = self.threat.open()?;
        audit.seed = self.seed;
        audit.granted(&[])?;
        Ok(observation)
    }
}
