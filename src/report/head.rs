//! What every `report.json` of attacks begins with.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Defences, ThreatRecord, Verdict};
use crate::{attack::config::AttackConfig, data::Normalisation, device::DeviceInfo, federated::Protocol};

/// What was found, and all that is needed to repeat it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Head {
    /// Of the program: `gia-gpu`.
    pub tool: &'static str,
    /// Of the program.
    pub version: &'static str,
    /// As called.
    pub command: Vec<String>,
    /// What leaks, how sure that is, and what to try next.
    pub verdict: Verdict,
    /// Of noise, starts, class order and all else that is drawn.
    pub seed: u64,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// What the eavesdropper is granted.
    pub threat_model: ThreatRecord,
    /// What the client does before it sends.
    pub protocol: Protocol,
    /// With guidance, λ and its schedule are its `guidance`.
    pub attack: AttackConfig,
    /// As in the registry, or what a file's network is called.
    pub architecture: String,
    /// Architecture options beside its name, as in `stem=cifar`; empty if none.
    pub architecture_options: String,
    /// `K`: classes of the victim.
    pub classes: usize,
    /// `K`: the data set's label of class index 0, 1, …, see [`crate::semantic::ClassOrder`]; all labels in a report are
    /// such indices. Absent where the gradients came from elsewhere.
    pub class_order: Option<Vec<usize>>,
    /// `B`
    pub batch: usize,
    /// Restarts of each attack, and of each hypothesis.
    pub restarts: usize,
    /// Where the pictures or gradients come from.
    pub data: String,
    /// From pixels in [0, 1] to what the victim takes.
    pub normalisation: Normalisation,
    /// What protected the clients.
    pub defences: Defences,
}
