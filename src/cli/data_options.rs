//! Which pictures the clients have.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{
    help::group,
    misuse,
    model_options::Known,
    note,
    options::{MAX_BATCH, check_batch},
    spelled::spelled,
};
use crate::{
    audit::{ClientBatch, read_batches},
    data::{BatchRule, Dataset, read_class_names, samples},
    federated::Victim,
};

/// The data set at `path`, or the embedded samples; `names`: of the victim's classes, as `--class-names` gives them.
pub(crate) fn open_data(path: Option<&Path>, names: Option<&str>) -> anyhow::Result<Dataset> {
    let dataset = path.map_or_else(|| Ok(samples()), Dataset::open)?;
    if !dataset.left_out.is_empty() {
        let kinds: Vec<String> =
            dataset.left_out.iter().map(|(kind, count)| format!("{count} of {kind}")).collect();
        note(&format!("{}: files that are no pictures were left out: {}", dataset.name, kinds.join(", ")));
    }
    match names {
        Some(names) => Ok(dataset.with_class_names(&read_class_names(names)?)?),
        None => Ok(dataset),
    }
}

/// Says whether pictures of these sizes are resized to the network's `[H, W]`.
pub(crate) fn note_sizes(sizes: &[([usize; 2], usize)], [height, width]: [usize; 2]) {
    if sizes.iter().any(|(size, _)| *size != [height, width]) {
        note(&format!(
            "pictures of other sizes are resized and cropped to {height}×{width}, as torchvision's Resize and CenterCrop do"
        ));
    }
}

/// The clients' pictures.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::INPUT)]
pub(crate) struct DataOptions {
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files. Without it, the embedded samples
    /// (Fashion-MNIST).
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Names of the victim's classes, in order, which folders are matched with
    ///
    /// Separated by commas, or a file with a name a line. For folders that are not all of the victim's classes, or are
    /// in another order.
    #[arg(long, value_name = "NAMES|FILE")]
    class_names: Option<String>,
    /// Pictures in a batch, 1 if not given
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Independent batches, attacked side by side
    ///
    /// They are taken from the first picture on. Without it 1; `run` takes 20 of the embedded samples.
    #[arg(long, value_name = "N")]
    pub batches: Option<usize>,
    /// Which labels a batch may have
    #[arg(long, value_name = "R", value_parser = spelled::<BatchRule>(), default_value = "any")]
    batch_labels: BatchRule,
    /// Draw the pictures by seed from the whole data set, in place of from the first picture on
    #[arg(long)]
    shuffle: bool,
}

impl DataOptions {
    /// `B`
    pub(crate) fn batch(&self) -> usize {
        self.batch.unwrap_or(1)
    }

    /// `M`
    pub(crate) fn batches(&self) -> usize {
        self.batches.unwrap_or(1)
    }

    pub(crate) fn open(&self) -> anyhow::Result<Dataset> {
        check_batch(self.batch())?;
        if !(1..=MAX_BATCH).contains(&self.batches()) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCH}, found {}", self.batches())));
        }
        open_data(self.data.as_deref(), self.class_names.as_deref())
    }

    /// What the data set says of the network.
    pub(crate) fn known(dataset: &Dataset) -> Known {
        Known::of_data(dataset)
    }

    /// Batches that keep the rule, fitted to the victim's input.
    pub(crate) fn read(
        &self,
        dataset: &Dataset,
        victim: &Victim,
        seed: u64,
    ) -> anyhow::Result<Vec<ClientBatch>> {
        let (batch, batches, rule) = (self.batch(), self.batches(), self.batch_labels);
        let chosen = match self.shuffle {
            true => dataset.random_batches(batch, batches, rule, seed),
            false => dataset.batches(batch, batches, rule),
        };
        let chosen =
            chosen.map_err(|error| misuse(format!("--batch {batch} × --batches {batches}: {error}")))?;
        let read = read_batches(dataset, victim, chosen)?;
        let [_, height, width] = victim.image_shape();
        if dataset.is_of_folders() {
            note_sizes(&dataset.sizes(), [height, width]);
        }
        let first = read[0].labels[0];
        if batches > 1 && !self.shuffle && read.iter().flat_map(|b| &b.labels).all(|&label| label == first) {
            note(&format!(
                "all {} pictures are of class {}: the data set begins with them; --shuffle draws from all of it",
                batch * batches,
                dataset.class_names.get(first).map_or("?", String::as_str)
            ));
        }
        Ok(read)
    }
}
