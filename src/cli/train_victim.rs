//! `gia-gpu train victim`

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{
    misuse,
    model_options::{Known, ModelOptions, victim_error},
    options::{DeviceOptions, NormalisationOptions, check_batch, check_limit, same_file},
    print_json, print_line,
    progress::Progress,
};
use crate::{
    data::Dataset,
    federated::Victim,
    tensor_file::{TensorFile, WeightsInfo},
    train::{
        Checkpoint, CheckpointError, EpochReport, Observer, Pictures, PicturesError, Recipe, TrainError,
        Training,
    },
};

/// Between two checkpoints inside an epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// Train a victim on labelled pictures: SGD with momentum, the learning rate rising to its peak over a fifth of the
/// steps and falling to 0 along a cosine, random flips and shifts, batch norm in train mode.
#[derive(Args)]
#[command(
    after_help = "Example: gia-gpu train victim --arch resnet20 --data cifar/train --test cifar/test --epochs 10 \
                  --learning-rate 0.4 --out resnet20.safetensors\n\nA checkpoint beside --out holds the latest \
                  epoch; --resume goes on from it and ends with the same bits as a training that was never stopped."
)]
pub struct TrainVictim {
    #[command(flatten)]
    model: ModelOptions,
    /// Pictures to learn from: a folder with a folder per class, CIFAR-10's binary batches or IDX files
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Pictures to classify after every epoch
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// Learn from N pictures only, evenly spaced over the data set
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How often every picture is shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    epochs: usize,
    /// Pictures of a step; what an epoch has left over is shown in the next one
    #[arg(long, value_name = "N", default_value_t = 128)]
    batch: usize,
    /// Peak of the learning rate
    #[arg(long, value_name = "R", default_value_t = 0.1, allow_negative_numbers = true)]
    learning_rate: f64,
    #[arg(long, value_name = "M", default_value_t = 0.9, allow_negative_numbers = true)]
    momentum: f64,
    /// Nesterov's momentum
    #[arg(long)]
    nesterov: bool,
    /// Pull of all weights towards 0; norms and biases are left alone
    #[arg(long, value_name = "W", default_value_t = 5e-4, allow_negative_numbers = true)]
    weight_decay: f64,
    /// Share of each label that is spread over all classes
    #[arg(long, value_name = "S", default_value_t = 0.0, allow_negative_numbers = true)]
    label_smoothing: f64,
    /// Show pictures as they are, without random flips and shifts
    #[arg(long)]
    no_augment: bool,
    /// Seed of initial weights, order, flips and shifts
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// File to write: safetensors with PyTorch's state_dict
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Go on from the checkpoint that a stopped training left
    #[arg(long)]
    resume: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl TrainVictim {
    pub fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        check_limit(self.limit)?;
        let recipe = self.recipe();
        let dataset = Dataset::open(&self.data)?;
        let test = self.test.as_ref().map(|path| Dataset::open(path)).transpose()?;
        if let Some(test) = test.as_ref().filter(|test| test.class_names != dataset.class_names) {
            let (a, b) = (&dataset.class_names, &test.class_names);
            return Err(misuse(format!("--test: expected the classes of --data, {a:?}, found {b:?}")));
        }
        let known = Known {
            pictures: dataset.picture(0).ok().map(|p| p.shape()),
            classes: Some(dataset.class_names.len()),
            ..Known::default()
        };
        let victim = Victim::from_seed(&self.model.request(&known)?, self.seed).map_err(victim_error)?;
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let count = self.limit.map_or(dataset.len(), |limit| limit.min(dataset.len()));
        recipe.check(count).map_err(|error| misuse(format!("--{error}")))?;
        victim.model.check_train(recipe.batch).map_err(misuse)?;
        let checkpoint = self.checkpoint()?;

        let read = |dataset: &Dataset, limit| {
            let pictures = Pictures::read(dataset, victim.image_shape(), victim.model.classes, limit);
            pictures.map_err(pictures_error)
        };
        let pictures = read(&dataset, self.limit)?;
        let test = test.as_ref().map(|test| read(test, None)).transpose()?;
        let training = Training {
            victim: &victim,
            recipe: &recipe,
            pictures: &pictures,
            test: test.as_ref(),
            normalisation: &normalisation,
            checkpoint: &checkpoint,
            checkpoint_every: CHECKPOINT_EVERY,
        };
        let from = if self.resume { training.resume().map_err(train_error)? } else { training.start() };
        self.train(&training, from, &dataset.class_names)
    }

    fn recipe(&self) -> Recipe {
        Recipe {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            augment: !self.no_augment,
            seed: self.seed,
        }
    }

    /// Where the checkpoint is. One that is there is the work of hours: it is not replaced by chance.
    fn checkpoint(&self) -> anyhow::Result<PathBuf> {
        let checkpoint = self.out.with_extension("checkpoint.safetensors");
        for path in [&self.out, &checkpoint] {
            if [Some(&self.data), self.test.as_ref()].into_iter().flatten().any(|data| same_file(data, path))
            {
                return Err(misuse(format!(
                    "--out: {} is an input: it cannot be written to",
                    path.display()
                )));
            }
            TensorFile::check_writable(path)?;
        }
        match (checkpoint.exists(), self.resume) {
            (true, false) => Err(misuse(format!(
                "{} holds a training that was stopped: go on with --resume, or delete it",
                checkpoint.display()
            ))),
            (false, true) => {
                Err(misuse(format!("--resume: there is no checkpoint {}", checkpoint.display())))
            }
            _ => Ok(checkpoint),
        }
    }

    fn train(&self, training: &Training, from: Checkpoint, class_names: &[String]) -> anyhow::Result<()> {
        let (victim, recipe) = (training.victim, training.recipe);
        let device = self.device.open()?;
        let mut watcher = Watcher { bar: Progress::new("training"), lines: !self.json, failed: None };
        let result = training.run(&*device, from, &mut watcher);
        watcher.bar.finish();
        let (tensors, reports) = result.map_err(train_error)?;
        if let Some(error) = watcher.failed {
            return Err(error);
        }

        let architecture = victim.model.name.clone();
        let results: Vec<_> = reports
            .iter()
            .map(|r| json!({"epoch": r.epoch, "loss": r.loss, "train_accuracy": r.train_accuracy, "test_accuracy": r.test_accuracy, "test_cross_entropy": r.test_cross_entropy}))
            .collect();
        let info = WeightsInfo {
            architecture: Some(architecture.clone()),
            options: Some(victim.model.options.to_string()).filter(|options| !options.is_empty()),
            image_shape: Some(victim.image_shape()),
            mean: Some(training.normalisation.mean().to_vec()),
            std: Some(training.normalisation.std().to_vec()),
            class_names: Some(class_names.to_vec()).filter(|names| names.len() == victim.model.classes),
            training: Some(json!({"recipe": recipe, "epochs": results}).to_string()),
        };
        info.write(&self.out, &victim.state_dict_of(&tensors))?;
        // The weights are safe.
        fs::remove_file(training.checkpoint)
            .with_context(|| format!("{} cannot be removed", training.checkpoint.display()))?;

        let last = reports.last().context("no epoch was run")?;
        let seconds: f64 = reports.iter().map(|report| report.seconds).sum();
        if self.json {
            return print_json(&json!({
                "weights": self.out,
                "architecture": architecture,
                "options": victim.model.options.to_string(),
                "recipe": recipe,
                "device": device.info(),
                "pictures": training.pictures.len(),
                "test_pictures": training.test.map(Pictures::len),
                "seconds": seconds,
                "test_accuracy": last.test_accuracy,
                "epochs": reports,
            }));
        }
        print_line(format!(
            "{}: {} after {} epochs, {:.0} s{}",
            self.out.display(),
            victim.model.describe(),
            recipe.epochs,
            seconds,
            last.test_accuracy
                .map_or(String::new(), |a| format!(", {:.2} % of the test set right", 100.0 * a)),
        ))
    }
}

/// A bar on standard error, a line an epoch on standard output.
struct Watcher {
    bar: Progress,
    lines: bool,
    failed: Option<anyhow::Error>,
}

impl Observer for Watcher {
    fn step(&mut self, done: usize, of: usize, loss: f32) {
        self.bar.update(done, of, &[loss]);
    }

    fn epoch(&mut self, report: &EpochReport) {
        if !self.lines {
            return;
        }
        let EpochReport { epoch, loss, train_accuracy, test_accuracy, seconds, .. } = report;
        let test = test_accuracy.map_or(String::new(), |a| format!(", test {:.2} %", 100.0 * a));
        let line = format!(
            "epoch {epoch}: loss {loss:.4}, train {:.2} %{test}, {seconds:.1} s",
            100.0 * train_accuracy
        );
        if let Err(error) = self.bar.above(|| print_line(line)) {
            self.failed.get_or_insert(error);
        }
    }
}

/// A label that the network has no class for comes from `--classes`.
pub fn pictures_error(error: PicturesError) -> anyhow::Error {
    if matches!(error, PicturesError::Label { .. }) { misuse(error) } else { error.into() }
}

/// What the options ask for is misuse.
fn train_error(error: TrainError) -> anyhow::Error {
    match error {
        TrainError::Recipe(_)
        | TrainError::Model(_)
        | TrainError::Checkpoint(CheckpointError::Other { .. }) => misuse(error),
        error => error.into(),
    }
}
