//! `gia-gpu study labels`

use std::path::PathBuf;

use clap::Args;

use super::super::{
    data_options::DataOptions,
    defence_options::DefenceOptions,
    misuse,
    model_options::VictimOptions,
    options::{DeviceOptions, NormalisationOptions, check_batch},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
};
use crate::{
    data::{Dataset, samples},
    study,
    tensor_file::GradientInfo,
};

/// Most batches of a study.
const MAX_BATCHES: usize = 100_000;

/// Restore the labels of random batches, classes drawn uniformly and with repetition, by every method.
#[derive(Args)]
#[command(
    after_help = "Example: gia-gpu study labels --arch lenet5 --classes 100 --batch 24 --batches 50 --data cifar-10-batches-bin\n\n\
                  Where the victim has other classes than the data set, pictures get labels at random: an \
                  untrained victim does not know the difference."
)]
pub struct LabelStudy {
    #[command(flatten)]
    victim: VictimOptions,
    /// Pictures: a folder with a folder per class, CIFAR-10's binary batches or IDX files; without it, the
    /// embedded samples
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Pictures in a batch
    #[arg(long, value_name = "N", default_value_t = 24)]
    batch: usize,
    /// Random batches
    #[arg(long, value_name = "N", default_value_t = 50)]
    batches: usize,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    defence: DefenceOptions,
    /// Seed of weights, batches and noise
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl LabelStudy {
    pub fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        if !(1..=MAX_BATCHES).contains(&self.batches) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCHES}, found {}", self.batches)));
        }
        let dataset = match &self.data {
            Some(path) => Dataset::open(path)?,
            None => samples(),
        };
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
