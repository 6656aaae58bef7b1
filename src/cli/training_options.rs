//! What all trainings have in common: options, checkpoint, and what is seen of them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};

use super::{
    help::group,
    misuse,
    options::{DeviceOptions, NormalisationOptions, TimeLimit, check_apart},
    print_line,
    progress::{Terminal, above},
    signals,
    spelled::spelled,
};
use crate::{
    device::Device,
    federated::ClientError,
    files::claim::FileClaim,
    report::ReportError,
    tensor_file::TensorFile,
    train::{
        Checkpoint, CheckpointError, CheckpointFile, EpochReport, Optimiser, OptimiserName, PicturesError,
        Recipe, TrainError, Training,
    },
};

/// Between two checkpoints inside an epoch.
pub(crate) const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

#[derive(Args)]
#[command(next_help_heading = group::TRAINING)]
pub(crate) struct TrainingOptions {
    /// How often every picture is shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    epochs: usize,
    /// Pictures of a step
    ///
    /// What an epoch has left over is shown in the next one.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub batch: usize,
    /// Peak of the learning rate
    #[arg(long, value_name = "R", default_value_t = 0.1, allow_negative_numbers = true)]
    learning_rate: f64,
    /// How weights follow their gradients
    #[arg(long, value_parser = spelled::<OptimiserName>(), default_value = "sgd")]
    optimiser: OptimiserName,
    /// Momentum of SGD
    #[arg(long, value_name = "M", default_value_t = 0.9, allow_negative_numbers = true)]
    momentum: f64,
    /// Nesterov's momentum
    #[arg(long)]
    nesterov: bool,
    /// Decay of AdamW's momentum
    #[arg(long, value_name = "B", default_value_t = 0.9, allow_negative_numbers = true)]
    beta1: f64,
    /// Decay of AdamW's mean of squares
    #[arg(long, value_name = "B", default_value_t = 0.999, allow_negative_numbers = true)]
    beta2: f64,
    /// Weight decay; norms and biases have none
    #[arg(long, value_name = "W", default_value_t = 5e-4, allow_negative_numbers = true)]
    weight_decay: f64,
    /// Share of each label that is spread over all classes
    #[arg(long, value_name = "S", default_value_t = 0.0, allow_negative_numbers = true)]
    label_smoothing: f64,
    /// Show pictures as they are, without random flips and shifts
    #[arg(long)]
    no_augment: bool,
    /// Share of the pictures shown noisy, blurred or pale, as reconstructions are
    #[arg(long, value_name = "S", default_value_t = 0.0, allow_negative_numbers = true)]
    degraded: f64,
    /// Seed of initial weights, order, flips and shifts
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Go on from the checkpoint that a stopped training left
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    limit: TimeLimit,
    #[command(flatten)]
    pub normalisation: NormalisationOptions,
    /// File to write: safetensors
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    pub out: PathBuf,
    /// Print the result as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceOptions,
}

/// What came of a training.
pub(crate) struct Trained {
    /// In `state_dict` order.
    pub tensors: Vec<Vec<f32>>,
    pub reports: Vec<EpochReport>,
    /// Whether all could be printed: to be asked when the weights are written.
    pub said: anyhow::Result<()>,
}

impl Trained {
    /// What the epochs came to, but for their time: the same training writes the same file.
    pub(crate) fn results(&self) -> Vec<Value> {
        let result = |r: &EpochReport| {
            json!({"epoch": r.epoch, "loss": r.loss, "train_accuracy": r.train_accuracy,
                   "test_accuracy": r.test_accuracy, "test_cross_entropy": r.test_cross_entropy,
                   "robust_accuracy": r.robust_accuracy})
        };
        self.reports.iter().map(result).collect()
    }
}

impl TrainingOptions {
    pub(crate) fn recipe(&self) -> Recipe {
        let optimiser = match self.optimiser {
            OptimiserName::Sgd => Optimiser::Sgd { momentum: self.momentum, nesterov: self.nesterov },
            OptimiserName::AdamW => Optimiser::AdamW { beta1: self.beta1, beta2: self.beta2, epsilon: 1e-8 },
        };
        Recipe {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            optimiser,
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            augment: !self.no_augment,
            degraded: self.degraded,
            seed: self.seed,
            defending: None,
            robust: None,
        }
    }

    /// Where the checkpoint is, for this process alone. One that is there is the work of hours: it is not replaced by chance.
    pub(crate) fn checkpoint(&self, inputs: &[&Path]) -> anyhow::Result<(PathBuf, FileClaim)> {
        checkpoint_beside(&self.out, self.resume, inputs)
    }

    /// Trains from the beginning, or from the checkpoint.
    pub(crate) fn train(&self, training: &Training, device: &dyn Device) -> anyhow::Result<Trained> {
        let from: Checkpoint =
            if self.resume { training.resume(device).map_err(train_error)? } else { training.start() };
        let mut failed = None;
        let mut epoch = |report: &EpochReport| {
            if !self.json
                && let Err(error) = above(|| print_line(line(report)))
            {
                failed.get_or_insert(error);
            }
        };
        signals::keep_what_there_is();
        self.limit.start();
        let result = training.run(device, from, &Terminal, &mut epoch);
        let (tensors, reports) = result.map_err(|error| ended(error, training.checkpoint))?;
        Ok(Trained { tensors, reports, said: failed.map_or(Ok(()), Err) })
    }
}

/// As [`TrainingOptions::checkpoint`], for this output.
pub(crate) fn checkpoint_beside(
    out: &Path,
    resume: bool,
    inputs: &[&Path],
) -> anyhow::Result<(PathBuf, FileClaim)> {
    let checkpoint = out.with_extension("checkpoint.safetensors");
    for path in [out, checkpoint.as_path()] {
        check_apart("--out", [path], inputs.iter().copied())?;
        TensorFile::check_writable(path)?;
    }
    let claim = FileClaim::of(out).map_err(ReportError::from)?;
    match (checkpoint.exists(), resume) {
        (true, false) => Err(misuse(format!(
            "{} holds a training that was stopped: go on with --resume, or delete it",
            checkpoint.display()
        ))),
        (false, true) => Err(misuse(format!("--resume: there is no checkpoint {}", checkpoint.display()))),
        _ => Ok((checkpoint, claim)),
    }
}

/// An epoch on standard output.
fn line(report: &EpochReport) -> String {
    let EpochReport { epoch, loss, train_accuracy, test_accuracy, robust_accuracy, seconds, .. } = report;
    let test = test_accuracy.map_or(String::new(), |a| format!(", test {:.2} %", 100.0 * a));
    let robust = robust_accuracy.map_or(String::new(), |a| format!(", robust {:.1} %", 100.0 * a));
    format!(
        "epoch {epoch}: loss {loss:.4}, train {:.2} %{test}{robust}, {seconds:.1} s",
        100.0 * train_accuracy
    )
}

/// A label that the network has no class for comes from `--classes`.
pub(crate) fn pictures_error(error: PicturesError) -> anyhow::Error {
    if matches!(error, PicturesError::Label { .. }) { misuse(error) } else { error.into() }
}

/// Why a training did not come to its end: one that was told to stop goes on from its checkpoint.
pub(crate) fn ended(error: TrainError, checkpoint: Option<CheckpointFile>) -> anyhow::Error {
    match (&error, checkpoint) {
        (TrainError::Stopped { .. }, Some(file)) => {
            signals::stopped(format!("{error}: {} has it, --resume goes on", file.path.display()))
        }
        _ => train_error(error),
    }
}

/// What the options ask for is misuse.
pub(crate) fn train_error(error: TrainError) -> anyhow::Error {
    match error {
        TrainError::Recipe(_)
        | TrainError::Model(_)
        | TrainError::Client(ClientError::Protocol(_) | ClientError::Model(_))
        | TrainError::Checkpoint(CheckpointError::Other { .. }) => misuse(error),
        error => error.into(),
    }
}
