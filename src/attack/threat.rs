//! What the eavesdropper knows, as data: an attack refuses to use what its threat model does not grant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{AttackConfig, StatisticsTarget};
use crate::{federated::Protocol, nn::Mode, spelling::choices};

choices! {
    /// A piece of knowledge that an attack can use.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Knowledge {
        /// Architecture and weights that the client started from.
        Weights = "weights",
        /// What the client sent: gradient, update or model.
        Update = "update",
        /// Number of pictures.
        BatchSize = "batch-size",
        /// Their labels.
        Labels = "labels",
        /// The model's running batch-norm statistics.
        RunningStatistics = "running-statistics",
        /// The client's own batch-norm statistics, from the buffers that it returns.
        BatchStatistics = "batch-statistics",
        /// Steps, batch size and learning rate of local training.
        LocalTraining = "local-training",
        /// Mean and standard deviation of the pixels.
        DataStatistics = "data-statistics",
        /// The client's defence and its strength.
        Defence = "defence",
        /// A model of what pictures look like, trained elsewhere.
        GenerativePrior = "generative-prior",
        /// Pictures with names like the clients', but none of theirs.
        PublicData = "public-data",
        /// What the label indices mean: no eavesdropper's knowledge, but an oracle's.
        TrueNames = "true-names",
    }
}

/// Who is assumed to listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreatModel {
    /// `server`, `insider`, `as used`, or what the user calls it.
    pub name: String,
    /// What the eavesdropper may know.
    pub grants: Vec<Knowledge>,
}

/// Why an attack is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThreatError {
    /// The attack uses what is not granted: the user's settings contradict each other.
    #[error(
        "the threat model '{name}' does not grant {}, which {} needs; it grants: {}",
        missing.name(), user, grants.iter().map(|g| g.name()).collect::<Vec<_>>().join(", ")
    )]
    NotGranted {
        /// Of the threat model.
        name: String,
        /// What is not granted.
        missing: Knowledge,
        /// The part of the attack that uses it.
        user: String,
        /// What is granted.
        grants: Vec<Knowledge>,
    },
}

/// Threat models with a name.
pub const NAMES: [&str; 2] = ["server", "insider"];

impl ThreatModel {
    /// `server`: an honest but curious server, which knows all but labels, the client's batch statistics,
    /// its defence, pictures like its own and what the labels mean. `insider`: all of it.
    pub fn named(name: &str) -> Option<ThreatModel> {
        use Knowledge::{BatchStatistics, Defence, GenerativePrior, Labels, TrueNames};
        const WITHHELD: [Knowledge; 5] = [Labels, BatchStatistics, Defence, GenerativePrior, TrueNames];
        match name {
            "server" => {
                let grants = Knowledge::ALL.into_iter().filter(|k| !WITHHELD.contains(k)).collect();
                Some(ThreatModel { name: name.into(), grants })
            }
            "insider" => Some(ThreatModel::insider()),
            _ => None,
        }
    }

    /// All of it: what an attack on oneself knows.
    pub fn insider() -> ThreatModel {
        ThreatModel { name: "insider".into(), grants: Knowledge::ALL.to_vec() }
    }

    /// What an attack uses and nothing else, where no threat model was chosen.
    pub fn of_uses(uses: &[Use]) -> ThreatModel {
        let mut grants: Vec<Knowledge> = uses.iter().map(|u| u.knowledge).collect();
        grants.sort_unstable();
        grants.dedup();
        ThreatModel { name: "as used".into(), grants }
    }

    /// # Errors
    /// The first use that is not granted.
    pub fn allow(&self, uses: &[Use]) -> Result<(), ThreatError> {
        match uses.iter().find(|u| !self.grants.contains(&u.knowledge)) {
            Some(Use { knowledge, user }) => Err(ThreatError::NotGranted {
                name: self.name.clone(),
                missing: *knowledge,
                user: user.clone(),
                grants: self.grants.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// What is used, and by what part of the attack, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// What is used.
    pub knowledge: Knowledge,
    /// By what part of the attack, in words.
    pub user: String,
}

impl Use {
    /// By a part of the attack, in words.
    pub fn new(knowledge: Knowledge, user: &str) -> Use {
        Use { knowledge, user: user.into() }
    }
}

/// What decides the knowledge that an attack uses.
pub struct Setup<'a> {
    /// The attack, with every choice made.
    pub config: &'a AttackConfig,
    /// What the eavesdropper takes the client to do.
    pub protocol: &'a Protocol,
    /// Whether the eavesdropper is told the labels.
    pub labels_given: bool,
    /// The eavesdropper does to its trial gradient what the client's defence does.
    pub adaptive: bool,
    /// Whether the model has batch norm.
    pub batch_norm: bool,
    /// There is a generator that was trained elsewhere.
    pub trained: bool,
}

impl Setup<'_> {
    /// Everything that the attack uses; a piece may come several times, for several parts.
    pub fn uses(&self) -> Vec<Use> {
        let Setup { config, protocol, .. } = self;
        let mut uses = vec![
            Use::new(Knowledge::Weights, "gradient matching"),
            Use::new(Knowledge::Update, "gradient matching"),
            Use::new(Knowledge::BatchSize, "gradient matching"),
            Use::new(Knowledge::DataStatistics, "the step from pixels to the network's input"),
        ];
        if self.labels_given {
            uses.push(Use::new(Knowledge::Labels, "an attack that is given the labels"));
        }
        if self.batch_norm && protocol.mode == Mode::Eval {
            uses.push(Use::new(Knowledge::RunningStatistics, "batch norm in eval mode"));
        }
        if self.batch_norm && config.batch_norm != 0.0 {
            uses.push(match config.batch_norm_target {
                StatisticsTarget::Running => Use::new(Knowledge::RunningStatistics, "the batch-norm prior"),
                StatisticsTarget::Batch => Use::new(Knowledge::BatchStatistics, "the batch-norm prior"),
            });
        }
        if protocol.local.is_some() && !config.surrogate {
            uses.push(Use::new(Knowledge::LocalTraining, "matching the simulated local training"));
        }
        if self.trained && config.sought.takes_generator() {
            uses.push(Use::new(Knowledge::GenerativePrior, "a generator that was trained elsewhere"));
        }
        if self.adaptive {
            uses.push(Use::new(Knowledge::Defence, "the adaptive eavesdropper"));
        }
        uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_refused_the_labels_and_an_insider_is_not() {
        let uses = [Use::new(Knowledge::Update, "the attack"), Use::new(Knowledge::Labels, "--labels")];
        let refused = ThreatModel::named("server").unwrap().allow(&uses).unwrap_err().to_string();
        assert!(refused.contains("does not grant labels, which --labels needs"), "{refused}");
        ThreatModel::named("insider").unwrap().allow(&uses).unwrap();
        let used = ThreatModel::of_uses(&uses);
        assert_eq!(used.grants, [Knowledge::Update, Knowledge::Labels]);
        used.allow(&uses).unwrap();
    }
}
