//! `gia-gpu train victim`

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{
    data_options::open_data,
    help::group,
    misuse,
    model_options::{Known, ModelOptions, victim_error},
    options::{check_batch, check_limit},
    print_json, print_line,
    training_options::{CHECKPOINT_EVERY, Trained, TrainingOptions, pictures_error},
};
use crate::{
    data::Dataset,
    federated::Victim,
    tensor_file::WeightsInfo,
    train::{Pictures, Training},
};

/// Train a victim on labelled pictures.
///
/// SGD with momentum, the learning rate rising to its peak over a fifth of the steps and falling to 0 along a cosine, random
/// flips and shifts, batch norm in train mode.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu train victim --arch resnet20 --data cifar/train --test cifar/test --epochs 10 \
                  --learning-rate 0.4 --out resnet20.safetensors\n\nA checkpoint beside --out holds the latest \
                  epoch; --resume goes on from it and ends with the same bits as a training that was never stopped."
)]
pub struct TrainVictim {
    /// Pictures to learn from: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Pictures to classify after every epoch
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// Learn from N pictures only, evenly spaced over the data set
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    training: TrainingOptions,
}

impl TrainVictim {
    pub fn run(self) -> anyhow::Result<()> {
        check_batch(self.training.batch)?;
        check_limit(self.limit)?;
        let recipe = self.training.recipe();
        let dataset = open_data(Some(&self.data), None)?;
        let test = self.test.as_ref().map(|path| Dataset::open(path)).transpose()?;
        if let Some(test) = test.as_ref().filter(|test| test.class_names != dataset.class_names) {
            let (a, b) = (&dataset.class_names, &test.class_names);
            return Err(misuse(format!("--test: expected the classes of --data, {a:?}, found {b:?}")));
        }
        let known = Known {
            pictures: dataset.picture(0).ok().map(|p| p.shape()),
            sizes: dataset.sizes(),
            classes: Some(dataset.class_names.len()),
            ..Known::default()
        };
        let victim =
            Victim::from_seed(&self.model.request(&known)?, self.training.seed).map_err(victim_error)?;
        let normalisation = self.training.normalisation.open(victim.image_shape()[0], None)?;
        let count = self.limit.map_or(dataset.len(), |limit| limit.min(dataset.len()));
        recipe.check(count).map_err(|error| misuse(format!("--{error}")))?;
        victim.model.check_train(recipe.batch).map_err(misuse)?;
        let inputs = [Some(&self.data), self.test.as_ref()].into_iter().flatten().map(PathBuf::as_path);
        let checkpoint = self.training.checkpoint(&inputs.collect::<Vec<_>>())?;

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
        self.train(&training, &dataset.class_names)
    }

    fn train(&self, training: &Training, class_names: &[String]) -> anyhow::Result<()> {
        let (victim, recipe) = (training.victim, training.recipe);
        let TrainingOptions { out, json, .. } = &self.training;
        let device = self.training.device.open()?;
        let Trained { tensors, reports } = self.training.train(training, &*device)?;

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
        info.write(out, &victim.state_dict_of(&tensors))?;
        // The weights are safe.
        fs::remove_file(training.checkpoint)
            .with_context(|| format!("{} cannot be removed", training.checkpoint.display()))?;

        let last = reports.last().context("no epoch was run")?;
        let seconds: f64 = reports.iter().map(|report| report.seconds).sum();
        if *json {
            return print_json(&json!({
                "weights": out,
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
            out.display(),
            victim.model.describe(),
            recipe.epochs,
            seconds,
            last.test_accuracy
                .map_or(String::new(), |a| format!(", {:.2} % of the test set right", 100.0 * a)),
        ))
    }
}
