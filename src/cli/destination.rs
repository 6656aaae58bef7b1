//! The folder that a report goes to.

use std::path::Path;

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser, ValueParser},
};

use super::{help::group, misuse, note};
use crate::{
    files::claim::{Destination, FileClaim},
    report::{OutputFolder, ReportError},
};

/// Reads a folder, or `out[-N]`.
pub(crate) fn destination() -> ValueParser {
    OsStringValueParser::new().map(Destination::from).into()
}

/// Whether results of an earlier run may go.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::OUTPUT)]
pub(crate) struct ForceOption {
    /// Replace the results of an earlier run in --out
    #[arg(long)]
    pub force: bool,
}

impl ForceOption {
    /// The folder, this process's alone from now on.
    pub(crate) fn claim(&self, to: &Destination) -> anyhow::Result<OutputFolder> {
        let folder = OutputFolder::claim(to, self.force)?;
        if to.numbered && folder.path() != to.path {
            note(&format!("results go to {}", folder.path().display()));
        }
        Ok(folder)
    }

    /// The same of a file.
    pub(crate) fn claim_file(&self, path: &Path) -> anyhow::Result<FileClaim> {
        let claim = FileClaim::of(path).map_err(ReportError::from)?;
        match path.exists() && !self.force {
            true => Err(misuse(format!(
                "--out: {} is there already: give another name, or --force to replace it",
                path.display()
            ))),
            false => Ok(claim),
        }
    }
}

/// Where a report's page and grid are, for the last line.
pub(crate) fn written(folder: &Path) -> [String; 2] {
    ["report.html", "grid.png"].map(|name| folder.join(name).display().to_string())
}
