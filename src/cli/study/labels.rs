//! `gia-gpu study labels`

use std::path::PathBuf;

use clap::Args;

use super::super::{
    data_options::{DataOptions, open_data},
    defence_options::DefenceOptions,
    help::group,
    misuse,
    model_options::VictimOptions,
    options::{DeviceOptions, NormalisationOptions, check_batch},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
};
use crate::{study, tensor_file::GradientInfo};

/// Most batches of a study.
const MAX_BATCHES: usize = 100_000;

/// How well labels are restored from random batches, by every method.
///
/// Classes are drawn uniformly and with repetition.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu study labels --arch lenet5 --classes 100 --batch 24 --batches 50 --data cifar-10-batches-bin\n\n\
                  Where the victim has other classes than the data set, pictures get labels at random: an \
                  untrained victim does not know the difference."
)]
pub(crate) struct LabelStudy {
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files. Without it, the embedded samples
    /// (Fashion-MNIST).
    #[arg(long, value_name = "PATH", help_heading = group::INPUT)]
    data: Option<PathBuf>,
    /// Names of the victim's classes, in order, which folders are matched with
    ///
    /// Separated by commas, or a file with a name a line.
    #[arg(long, value_name = "NAMES|FILE", requires = "data", help_heading = group::INPUT)]
    class_names: Option<String>,
    /// Pictures in a batch
    #[arg(long, value_name = "N", default_value_t = 24)]
    batch: usize,
    /// Random batches
    #[arg(long, value_name = "N", default_value_t = 50)]
    batches: usize,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    defence: DefenceOptions,
    /// Seed of weights, batches and noise
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::INPUT)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl LabelStudy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        if !(1..=MAX_BATCHES).contains(&self.batches) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCHES}, found {}", self.batches)));
        }
        let dataset = open_data(self.data.as_deref(), self.class_names.as_deref())?;
        let protocol = self.protocol.protocol(&GradientInfo::default(), self.batch)?;
        let defences = self.defence.defences(&protocol)?;
        let victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let device = self.device.open()?;
        let study = study::LabelStudy {
            device: &*device,
            victim: &victim,
            dataset: &dataset,
            normalisation: &normalisation,
            protocol,
            defences: &defences,
            batch: self.batch,
            batches: self.batches,
            seed: self.seed,
        };
        let report = study.run(&Terminal)?;
        if self.json { print_json(&report) } else { print_line(report.table()) }
    }
}
