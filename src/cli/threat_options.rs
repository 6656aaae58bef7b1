//! What the eavesdropper is allowed to know.

use std::path::Path;

use anyhow::Context;
use clap::Args;

use super::{help::group, misuse};
use crate::{
    attack::{
        config::{AttackConfig, StatisticsTarget},
        threat::{Knowledge, NAMES, ThreatModel, Use},
    },
    federated::Protocol,
    nn::Mode,
};

/// The threat model.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::ATTACK)]
pub struct ThreatOptions {
    /// What the eavesdropper may know: server, insider or a TOML file
    ///
    /// server is honest but curious, insider knows everything; a TOML file has `name` and `grants`. A run that needs more
    /// is refused. Without it the report lists what was used.
    #[arg(long, value_name = "NAME|FILE")]
    threat_model: Option<String>,
}

/// What decides the knowledge that an attack uses.
pub struct Setup<'a> {
    pub config: &'a AttackConfig,
    pub protocol: &'a Protocol,
    pub labels_given: bool,
    pub adaptive: bool,
    /// Whether the model has batch norm.
    pub batch_norm: bool,
}

impl ThreatOptions {
    /// The threat model, after it has granted everything that the attack uses.
    pub fn check(&self, setup: &Setup) -> anyhow::Result<ThreatModel> {
        self.check_with(setup, &[])
    }

    /// As [`ThreatOptions::check`], and what is used beside.
    pub fn check_with(&self, setup: &Setup, more: &[Use]) -> anyhow::Result<ThreatModel> {
        let uses = [uses(setup), more.to_vec()].concat();
        match &self.threat_model {
            None => Ok(ThreatModel::of_uses(&uses)),
            Some(name) => {
                let model = match ThreatModel::named(name) {
                    Some(model) => model,
                    None => read(name)?,
                };
                model.allow(&uses).map_err(misuse)?;
                Ok(model)
            }
        }
    }
}

fn read(path: &str) -> anyhow::Result<ThreatModel> {
    if !Path::new(path).is_file() {
        return Err(misuse(format!(
            "--threat-model: expected {} or a TOML file, found '{path}'",
            NAMES.join(", ")
        )));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
    toml::from_str(&text).map_err(|error| misuse(format!("{path} is not a threat model: {error}")))
}

fn uses(setup: &Setup) -> Vec<Use> {
    let Setup { config, protocol, .. } = setup;
    let mut uses = vec![
        Use::new(Knowledge::Weights, "gradient matching"),
        Use::new(Knowledge::Update, "gradient matching"),
        Use::new(Knowledge::BatchSize, "gradient matching"),
        Use::new(Knowledge::DataStatistics, "the step from pixels to the network's input"),
    ];
    if setup.labels_given {
        uses.push(Use::new(Knowledge::Labels, "an attack that is given the labels"));
    }
    if setup.batch_norm && protocol.mode == Mode::Eval {
        uses.push(Use::new(Knowledge::RunningStatistics, "batch norm in eval mode"));
    }
    if setup.batch_norm && config.batch_norm != 0.0 {
        uses.push(match config.batch_norm_target {
            StatisticsTarget::Running => Use::new(Knowledge::RunningStatistics, "the batch-norm prior"),
            StatisticsTarget::Batch => Use::new(Knowledge::BatchStatistics, "the batch-norm prior"),
        });
    }
    if protocol.local.is_some() {
        uses.push(Use::new(Knowledge::LocalTraining, "matching the simulated local training"));
    }
    if setup.adaptive {
        uses.push(Use::new(Knowledge::Defence, "the adaptive eavesdropper"));
    }
    uses
}
