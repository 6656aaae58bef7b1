//! `gia-gpu train victim`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{
    data_options::open_data,
    defence_options::check,
    help::group,
    misuse,
    model_options::{Known, ModelOptions, victim_error},
    note,
    options::{check_batch, check_limit},
    print_json, print_line,
    training_options::{CHECKPOINT_EVERY, Trained, TrainingOptions, pictures_error},
};
use crate::{
    data::Dataset,
    federated::{Protocol, Victim, defence::parse},
    files::outgoing,
    nn::Mode,
    tensor_file::WeightsInfo,
    train::{CheckpointFile, Defending, Pictures, Recipe, Training},
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
pub(crate) struct TrainVictim {
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
    defence: ClientDefence,
    #[command(flatten)]
    training: TrainingOptions,
}

/// Clients that protect what they send, as in federated learning.
#[derive(Args)]
#[command(next_help_heading = group::CLIENT)]
struct ClientDefence {
    /// Train on gradients of clients that defend themselves so, as in noise:1e-2 or dp-sgd:1:0.5
    ///
    /// Each step is a round: its pictures are split among clients, each sends its defended gradient, and the optimiser
    /// follows their mean. Shows what a defence costs. With DP-SGD, batch norm keeps the statistics it starts with.
    #[arg(long, value_name = "D,D")]
    defence: Option<String>,
    /// Pictures of a client: a divisor of --batch, which is also the default
    #[arg(long, value_name = "N", requires = "defence")]
    client_batch: Option<usize>,
}

impl ClientDefence {
    fn defending(&self, batch: usize) -> anyhow::Result<Option<Defending>> {
        let Some(text) = &self.defence else { return Ok(None) };
        let defences = parse(text).map_err(|error| misuse(format!("--defence: {error}")))?;
        check(&Protocol::default(), &defences)?;
        Ok(Some(Defending { defences, client_batch: self.client_batch.unwrap_or(batch) }))
    }
}

impl TrainVictim {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_batch(self.training.batch)?;
        check_limit(self.limit)?;
        let defending = self.defence.defending(self.training.batch)?;
        let recipe = Recipe { defending, ..self.training.recipe() };
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
        match &recipe.defending {
            None => victim.model.check_train(recipe.batch).map_err(misuse)?,
            Some(defending) if victim.has_batch_norm() && defending.mode(&victim) == Mode::Eval => {
                note(
                    "batch norm keeps the statistics that it starts with: those of a client's batch are not defined \
                     with DP-SGD, or for one value a channel; --norm group trains without them",
                );
            }
            Some(_) => {}
        }
        let inputs = [Some(&self.data), self.test.as_ref()].into_iter().flatten().map(PathBuf::as_path);
        let (checkpoint, _claim) = self.training.checkpoint(&inputs.collect::<Vec<_>>())?;

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
            checkpoint: Some(CheckpointFile { path: &checkpoint, every: CHECKPOINT_EVERY }),
        };
        self.train(&training, &dataset.class_names)
    }

    fn train(&self, training: &Training, class_names: &[String]) -> anyhow::Result<()> {
        let (victim, recipe) = (training.victim, training.recipe);
        let TrainingOptions { out, json, .. } = &self.training;
        let device = self.training.device.open()?;
        let trained = self.training.train(training, &*device)?;
        let results = trained.results();
        let Trained { tensors, reports, said } = trained;

        let architecture = victim.model.name.clone();
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
        if let Some(CheckpointFile { path, .. }) = training.checkpoint {
            outgoing::remove(path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        said?;

        let privacy = recipe.privacy(training.pictures.shown());
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
                "privacy": privacy,
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
        ))?;
        privacy.map_or(Ok(()), print_line)
    }
}
