//! `gia-gpu study names`

use clap::Args;

use super::super::{
    clip_options::ClipOptions,
    help::group,
    misuse,
    named_sets::NamedPath,
    options::{DeviceOptions, check_limit},
    print_json, print_line,
    progress::Terminal,
};
use crate::{data::Dataset, study};

/// How well a model names data sets, as they are and degraded.
///
/// Name the pictures of labelled data sets, as they are and as reconstructions spoil them: how often the right name comes
/// first among the set's own names and among those of all sets, and how well the probabilities are calibrated.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu study names --data cifar-10=cifar/test --data fashion-mnist=fashion-mnist/t10k-images-idx3-ubyte.gz"
)]
pub(crate) struct NameStudy {
    /// Data set and what to call it
    ///
    /// Class folders, CIFAR-10's binary batches or IDX files. Again for each further one.
    #[arg(long, value_name = "NAME=PATH", required = true)]
    data: Vec<NamedPath>,
    /// Name N pictures of each only, evenly spaced over the data set
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Name the degraded views of N pictures of each only; 0 leaves them out
    #[arg(long, value_name = "N")]
    degraded: Option<usize>,
    #[command(flatten)]
    clip: ClipOptions,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl NameStudy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_limit(self.limit)?;
        let sets = self.sets()?;
        let encoder = self.clip.open()?;
        let templates = self.clip.templates()?;
        let device = self.device.open()?;
        let study = study::NameStudy {
            device: &*device,
            encoder: &*encoder,
            templates: &templates,
            sets: &sets,
            limit: self.limit,
            degraded: self.degraded,
        };
        let report = study.run(&Terminal)?;
        if self.json { print_json(&report) } else { print_line(report.table()) }
    }

    fn sets(&self) -> anyhow::Result<Vec<(String, Dataset)>> {
        let open = |NamedPath { name, path }: &NamedPath| match Dataset::open(path)? {
            dataset if dataset.is_empty() => {
                Err(misuse(format!("--data: {} has no pictures", path.display())))
            }
            dataset => Ok((name.clone(), dataset)),
        };
        self.data.iter().map(open).collect()
    }
}
