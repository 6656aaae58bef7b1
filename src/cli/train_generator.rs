//! `gia-gpu train generator`

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{
    help::group,
    misuse,
    options::{DeviceOptions, TimeLimit, at_least_one, check_apart, check_batch, check_limit, count_to},
    print_json, print_line,
    progress::{Terminal, above},
    signals,
    training_options::{CHECKPOINT_EVERY, Trained, checkpoint_beside, ended, pictures_error, train_error},
};
use crate::{
    audit::{GeneratorInfo, MadeDistance, made_distance, sample_sheet, write_generator},
    data::{Dataset, spoken},
    device::Device,
    files::outgoing,
    nn::generator::Dcgan,
    report::write_picture_grid,
    train::{
        CheckpointFile, EpochReport, Pictures,
        generator::{GeneratorRecipe, GeneratorTraining, SIDE},
    },
};

const CHANNELS: usize = 3;
/// f of the widest network that anybody trains.
const WIDEST: usize = 1024;
/// Pictures that are compared with test pictures.
const COMPARED: usize = 2_000;

/// Train a generator of pictures.
///
/// A DCGAN of 32×32 pixels (Radford 2016) against a discriminator with spectral norm; what is written is the average over
/// its last steps.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu train generator --data cifar/train --test cifar/test --conditional --epochs 40 --out \
                  generator.safetensors\n\n`gia-gpu run --preset gias --generator generator.safetensors` attacks with \
                  it. Beside --out lie a sheet of samples, after every epoch, and a checkpoint; --resume goes on from it, \
                  also to more epochs."
)]
pub(crate) struct TrainGenerator {
    /// Pictures to learn from: folders of classes, CIFAR-10's batches or IDX files
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Pictures to compare made ones with at the end
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// Learn from N pictures only, evenly spaced over the data set
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Learn the classes, too: a picture of one can be asked for, or of none
    #[arg(long, help_heading = group::TRAINING)]
    conditional: bool,
    /// Least channels f of both networks, which have 8f, 4f, 2f and f
    #[arg(long, value_name = "F", default_value_t = 32, value_parser = count_to(WIDEST), help_heading = group::TRAINING)]
    width: usize,
    /// How often every picture is shown
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = at_least_one(), help_heading = group::TRAINING)]
    epochs: usize,
    /// Pictures of a step, and as many made ones
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = group::TRAINING)]
    batch: usize,
    /// Learning rate of Adam, of both networks
    #[arg(long, value_name = "R", default_value_t = 2e-4, allow_negative_numbers = true, help_heading = group::TRAINING)]
    learning_rate: f64,
    /// Seed of initial weights, order and latents
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::TRAINING)]
    seed: u64,
    /// Go on from the checkpoint that a stopped training left
    #[arg(long, help_heading = group::TRAINING)]
    resume: bool,
    #[command(flatten)]
    time: TimeLimit,
    /// File to write: safetensors, kernels in F16
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Print the result as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl TrainGenerator {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_batch(self.batch)?;
        check_limit(self.limit)?;
        let recipe = self.recipe();
        let open = |path: &PathBuf| -> anyhow::Result<Dataset> {
            let mut dataset = Dataset::open(path)?;
            dataset.class_names.iter_mut().for_each(|name| *name = spoken(name));
            Ok(dataset)
        };
        let (data, test) = (open(&self.data)?, self.test.as_ref().map(open).transpose()?);
        let count = self.limit.map_or(data.len(), |limit| limit.min(data.len()));
        recipe.shown().check(count).map_err(|error| misuse(format!("--{error}")))?;
        if let Some(found) = test.as_ref().map(|test| test.len().min(count)).filter(|&pictures| pictures < 2)
        {
            return Err(misuse(format!(
                "--test: expected 2 pictures or more to compare with and to learn from, found {found}"
            )));
        }
        let sheet = self.out.with_extension("samples.png");
        let inputs: Vec<&Path> =
            [Some(&self.data), self.test.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
        check_apart("--out, its samples", [sheet.as_path()], inputs.iter().copied())?;
        let (checkpoint, _claim) = checkpoint_beside(&self.out, self.resume, &inputs)?;

        let read = |dataset: &Dataset, limit| {
            let (shape, classes) = ([CHANNELS, SIDE, SIDE], dataset.class_names.len());
            Pictures::read(dataset, shape, classes, limit).map_err(pictures_error)
        };
        let pictures = read(&data, self.limit)?;
        let test = test.as_ref().map(|test| read(test, None)).transpose()?;
        let training = GeneratorTraining {
            recipe: &recipe,
            pictures: &pictures,
            checkpoint: Some(CheckpointFile { path: &checkpoint, every: CHECKPOINT_EVERY }),
        };
        let device = self.device.open()?;
        let names = if self.conditional { pictures.class_names.clone() } else { vec![] };
        let Trained { tensors, reports, said } = self.train(&training, &*device, (&names, &sheet))?;
        let trained = training.adversaries().generator.trained();
        let distance = test
            .map(|test| {
                let own = (&trained, &tensors[..]);
                made_distance(&*device, own, [&pictures, &test], COMPARED, self.seed, &Terminal)
            })
            .transpose()?;
        let info = GeneratorInfo {
            class_names: names,
            trained_on: format!("{} pictures of {}", pictures.len(), data.name),
            training: json!({"recipe": recipe, "epochs": results(&reports), "distance": distance})
                .to_string(),
        };
        write_generator(&self.out, &trained, &tensors, &info)?;
        // The weights are safe.
        outgoing::remove(&checkpoint)
            .with_context(|| format!("{} cannot be removed", checkpoint.display()))?;
        said?;
        self.print(&trained, &reports, distance, &*device, &sheet)
    }

    fn recipe(&self) -> GeneratorRecipe {
        GeneratorRecipe {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            width: self.width,
            conditional: self.conditional,
            seed: self.seed,
            ..GeneratorRecipe::default()
        }
    }

    /// The averaged generator, and its epochs.
    fn train(
        &self,
        training: &GeneratorTraining,
        device: &dyn Device,
        (names, sheet): (&[String], &Path),
    ) -> anyhow::Result<Trained> {
        let from = if self.resume { training.resume(device).map_err(train_error)? } else { training.start() };
        let generator = training.adversaries().generator.trained();
        let mut failed = None;
        let mut epoch = |report: &EpochReport, tensors: &[Vec<f32>]| {
            let shown = || -> anyhow::Result<()> {
                self.sheet(device, (&generator, tensors), names, sheet)?;
                if self.json { Ok(()) } else { above(|| print_line(line(report))) }
            };
            if let Err(error) = shown() {
                failed.get_or_insert(error);
            }
        };
        signals::keep_what_there_is();
        self.time.start();
        let result = training.run(device, from, &Terminal, &mut epoch);
        let (tensors, reports) = result.map_err(|error| ended(error, training.checkpoint))?;
        Ok(Trained { tensors, reports, said: failed.map_or(Ok(()), Err) })
    }

    fn sheet(
        &self,
        device: &dyn Device,
        made_by: (&Dcgan, &[Vec<f32>]),
        names: &[String],
        path: &Path,
    ) -> anyhow::Result<()> {
        let rows = sample_sheet(device, made_by, names, self.seed)?;
        let rows: Vec<(&str, &[_])> = rows.iter().map(|(name, row)| (name.as_str(), &row[..])).collect();
        Ok(write_picture_grid(path, &rows, &[])?)
    }

    fn print(
        &self,
        generator: &Dcgan,
        reports: &[EpochReport],
        distance: Option<MadeDistance>,
        device: &dyn Device,
        sheet: &Path,
    ) -> anyhow::Result<()> {
        use crate::nn::generator::Generator;
        let seconds: f64 = reports.iter().map(|report| report.seconds).sum();
        let bytes = fs::metadata(&self.out)?.len();
        if self.json {
            return print_json(&json!({
                "weights": self.out,
                "bytes": bytes,
                "latent": generator.latent(),
                "classes": generator.classes(),
                "recipe": self.recipe(),
                "device": device.info(),
                "seconds": seconds,
                "samples": sheet,
                "distance": distance,
                "epochs": reports,
            }));
        }
        print_line(format!(
            "{}: {} after {} epochs, {seconds:.0} s; {bytes} bytes; samples: {}",
            self.out.display(),
            if self.conditional { "class-conditional DCGAN" } else { "DCGAN" },
            reports.len(),
            sheet.display(),
        ))?;
        let Some(MadeDistance { pictures, frechet_distance, of_training_pictures }) = distance else {
            return Ok(());
        };
        print_line(format!(
            "Fréchet distance from {pictures} test pictures in the built-in model's features: {frechet_distance:.4}; of \
             training pictures {of_training_pictures:.4}"
        ))
    }
}

/// What the epochs came to, but for their time: the same training writes the same file.
fn results(reports: &[EpochReport]) -> Vec<serde_json::Value> {
    let result = |r: &EpochReport| json!({"epoch": r.epoch, "loss": r.loss, "recognised": r.train_accuracy});
    reports.iter().map(result).collect()
}

fn line(EpochReport { epoch, loss, train_accuracy, seconds, .. }: &EpochReport) -> String {
    format!(
        "epoch {epoch}: generator's loss {loss:.4}, {:.1} % of made pictures recognised, {seconds:.1} s",
        100.0 * train_accuracy
    )
}
