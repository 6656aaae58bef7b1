//! What the eavesdropper is allowed to know.

use std::path::Path;

use anyhow::Context;
use clap::Args;

use super::{help::group, misuse};
use crate::{
    attack::threat::{NAMES, ThreatModel},
    files::incoming,
};

/// The threat model.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = group::ATTACK)]
pub(crate) struct ThreatOptions {
    /// What the eavesdropper may know: server, insider or a TOML file
    ///
    /// server is honest but curious, insider knows everything; a TOML file has `name` and `grants`. A run that needs more
    /// is refused. Without it the report lists what was used.
    #[arg(long, value_name = "NAME|FILE")]
    threat_model: Option<String>,
}

impl ThreatOptions {
    /// The threat model; `None` where nothing limits what is known.
    pub(crate) fn open(&self) -> anyhow::Result<Option<ThreatModel>> {
        let Some(name) = &self.threat_model else { return Ok(None) };
        match ThreatModel::named(name) {
            Some(model) => Ok(Some(model)),
            None => read(name).map(Some),
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
    let text = incoming::read_text(Path::new(path)).with_context(|| format!("{path} cannot be read"))?;
    toml::from_str(&text).map_err(|error| misuse(format!("{path} is not a threat model: {error}")))
}
