//! `gia-gpu study`: many runs, one table.

mod defences;
mod guidance;
mod hypotheses;
mod labels;
mod names;
mod pulls;

use clap::{Args, Subcommand};

/// Measure over many batches and print a table.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  gia-gpu study labels --arch lenet5 --classes 100\n  gia-gpu study defences"
)]
pub(crate) struct StudyCommand {
    #[command(subcommand)]
    study: Study,
}

#[derive(Subcommand)]
enum Study {
    /// How well labels are restored from random batches, by every method
    Labels(Box<labels::LabelStudy>),
    /// How well a model names data sets, as they are and degraded
    Names(Box<names::NameStudy>),
    /// What leaks past each defence, to an unaware and to an adaptive eavesdropper
    Defences(Box<defences::DefenceStudy>),
    /// What names add that draw pictures to them, beside names of other classes
    Guidance(Box<guidance::GuidanceStudy>),
    /// Which comparison of hypotheses tells the true names, on the same batches
    Hypotheses(Box<hypotheses::HypothesesStudy>),
    /// What names look like to models that pull: pictures from noise, and who reads them
    Pulls(Box<pulls::PullStudy>),
}

impl StudyCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.study {
            Study::Labels(study) => study.run(),
            Study::Names(study) => study.run(),
            Study::Defences(study) => study.run(),
            Study::Guidance(study) => study.run(),
            Study::Hypotheses(study) => study.run(),
            Study::Pulls(study) => study.run(),
        }
    }
}
