//! What every `report.json` of attacks begins with.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Defences, ThreatRecord, Verdict};
use crate::{attack::config::AttackConfig, data::Normalisation, device::DeviceInfo, federated::Protocol};

/// What was found, and all that is needed to repeat it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Head {
    pub tool: &'static str,
    pub version: &'static str,
    /// As called.
    pub command: Vec<String>,
    pub verdict: Verdict,
    pub seed: u64,
    pub device: DeviceInfo,
    /// What the eavesdropper is granted.
    pub threat_model: ThreatRecord,
    /// What the client does before it sends.
    pub protocol: Protocol,
    /// With guidance, λ and its schedule are its `guidance`.
    pub attack: AttackConfig,
    pub architecture: String,
    /// Architecture options beside its name, as in `stem=cifar`; empty if none.
    pub architecture_options: String,
    pub classes: usize,
    /// `K`: the data set's label of class index 0, 1, …, see [`crate::semantic::ClassOrder`]; all labels in a report are
    /// such indices. Absent where the gradients came from elsewhere.
    pub class_order: Option<Vec<usize>>,
    /// `B`
    pub batch: usize,
    /// Restarts of each attack, and of each hypothesis.
    pub restarts: usize,
    pub data: String,
    pub normalisation: Normalisation,
    pub defences: Defences,
}
