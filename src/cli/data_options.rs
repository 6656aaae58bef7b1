//! Which pictures the clients have.

use std::path::PathBuf;

use clap::Args;

use super::{
    experiment::{ClientBatch, read_batches},
    misuse,
    model_options::Known,
    options::{MAX_BATCH, check_batch},
};
use crate::{
    data::{BatchRule, Dataset, samples},
    federated::Victim,
};

/// The clients' pictures.
#[derive(Args, Clone, Debug)]
pub struct DataOptions {
    /// Pictures: a folder with a folder per class, CIFAR-10's binary batches or IDX files; without it, the
    /// embedded samples (Fashion-MNIST)
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Pictures in a batch (default 1)
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Independent batches, from the first picture on, attacked side by side (default 1)
    #[arg(long, value_name = "N")]
    pub batches: Option<usize>,
    /// Labels of a batch: any, distinct, or equal:N for N of one class and the others distinct
    #[arg(long, value_name = "R", default_value = "any")]
    batch_labels: BatchRule,
}

impl DataOptions {
    /// `B`
    pub fn batch(&self) -> usize {
        self.batch.unwrap_or(1)
    }

    /// `M`
    pub fn batches(&self) -> usize {
        self.batches.unwrap_or(1)
    }

    pub fn open(&self) -> anyhow::Result<Dataset> {
        check_batch(self.batch())?;
        if !(1..=MAX_BATCH).contains(&self.batches()) {
            return Err(misuse(format!("--batches: expected 1 to {MAX_BATCH}, found {}", self.batches())));
        }
        Ok(match &self.data {
            Some(path) => Dataset::open(path)?,
            None => samples(),
        })
    }

    /// What the data set says of the network.
    pub fn known(dataset: &Dataset) -> Known {
        Known {
            pictures: dataset.picture(0).ok().map(|p| p.shape()),
            classes: Some(dataset.class_names.len()),
            ..Known::default()
        }
    }

    /// Batches that keep the rule, fitted to the victim's input.
    pub fn read(&self, dataset: &Dataset, victim: &Victim) -> anyhow::Result<Vec<ClientBatch>> {
        let (batch, batches) = (self.batch(), self.batches());
        let chosen = dataset
            .batches(batch, batches, self.batch_labels)
            .map_err(|error| misuse(format!("--batch {batch} × --batches {batches}: {error}")))?;
        read_batches(dataset, victim, chosen)
    }
}
