//! `gia-gpu study`: many runs, one table.

mod defences;
mod labels;

use clap::{Args, Subcommand};

/// Measure over many batches and print a table.
#[derive(Args)]
pub struct StudyCommand {
    #[command(subcommand)]
    study: Study,
}

#[derive(Subcommand)]
enum Study {
    /// How well labels are restored from random batches, by every method
    Labels(Box<labels::LabelStudy>),
    /// What leaks past each defence, to an unaware and to an adaptive eavesdropper
    Defences(Box<defences::DefenceStudy>),
}

impl StudyCommand {
    pub fn run(self) -> anyhow::Result<()> {
        match self.study {
            Study::Labels(study) => study.run(),
            Study::Defences(study) => study.run(),
        }
    }
}
