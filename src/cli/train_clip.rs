//! `gia-gpu train clip`

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
    named_sets::{NamedPath, open_sets},
    options::{at_least_one, check_batch, count_to},
    print_json, print_line,
    spelled::spelled,
    training_options::{CHECKPOINT_EVERY, Trained, TrainingOptions},
};
use crate::{
    clip::{About, Bank, ConceptSet},
    data::Normalisation,
    federated::Victim,
    files::outgoing,
    nn::{MAX_SIDE, Model, Options},
    train::{CheckpointFile, Half, Pictures, Recipe, Robust, Training},
};

const CHANNELS: usize = 3;

/// Train an image tower against a bank of named concepts.
///
/// Every class of every data set becomes a vector, and a picture is drawn towards its own name's and away from all others'
/// (cross entropy of scale × cosine, the scale is learned).
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu train clip --data cifar-10=cifar/train --data fashion=fashion-mnist --test \
                  cifar-10=cifar/test --epochs 18 --learning-rate 0.15 --degraded 0.5 --out names.safetensors\n\n\
                  `gia-gpu name --clip names.safetensors` uses it. A checkpoint beside --out holds the latest epoch; \
                  --resume goes on from it."
)]
pub(crate) struct TrainClip {
    /// Data set to learn from, and what to call it
    ///
    /// Class folders, CIFAR-10's binary batches or IDX files. Again for each further one.
    #[arg(long, value_name = "NAME=PATH", required = true)]
    data: Vec<NamedPath>,
    /// How often pictures of a data set are shown in an epoch, as in fashion=0.5
    ///
    /// Without it once.
    #[arg(long, value_name = "NAME=SHARE")]
    share: Vec<String>,
    /// Pictures to name after every epoch, of a data set in --data
    #[arg(long, value_name = "NAME=PATH")]
    test: Option<NamedPath>,
    /// Image tower, any architecture that can be a victim
    #[arg(long, value_name = "A", default_value = "resnet9-32", help_heading = group::VICTIM)]
    arch: String,
    /// Side of the pictures that the tower takes
    #[arg(long, value_name = "S", default_value_t = 32, value_parser = count_to(MAX_SIDE), help_heading = group::VICTIM)]
    image_size: usize,
    /// Features of a picture
    #[arg(long, value_name = "E", default_value_t = 128, value_parser = at_least_one(), help_heading = group::VICTIM)]
    embedding: usize,
    /// Show each picture as the model names it worst within this distance, as in l2:0.5 (pixels in [0,1])
    ///
    /// Adversarial training: one step from a random start. A training step costs about twice as much. What such a model is
    /// drawn to are shapes, so that it can guide (`guide --clip FILE`).
    #[arg(long, value_name = "l2:EPS", value_parser = spelled::<Robust>(), help_heading = group::TRAINING)]
    robust: Option<Robust>,
    /// Learn from one half of each data set: two models of other halves share no picture
    ///
    /// The halves are the same for every --seed.
    #[arg(long, value_parser = spelled::<Half>(), help_heading = group::TRAINING)]
    half: Option<Half>,
    #[command(flatten)]
    training: TrainingOptions,
}

impl TrainClip {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        check_batch(self.training.batch)?;
        let recipe = Recipe { robust: self.robust, ..self.training.recipe() };
        let shape = [CHANNELS, self.image_size, self.image_size];
        let inputs: Vec<&Path> = self.data.iter().chain(&self.test).map(|set| set.path.as_path()).collect();
        let (checkpoint, _claim) = self.training.checkpoint(&inputs)?;
        let mut pictures = open_sets(&self.data, shape)?;
        if let Some(half) = self.half {
            pictures = pictures.half(half);
        }
        self.set_shares(&mut pictures)?;
        recipe.check(pictures.shown()).map_err(|error| misuse(format!("--{error}")))?;
        let test = self.test.as_ref().map(|test| test.within(&pictures, shape)).transpose()?;

        let names = pictures.class_names.len();
        let model = Model::contrastive(&self.arch, &Options::default(), Some(shape), self.embedding, names)
            .map_err(misuse)?;
        model.check_train(recipe.batch).map_err(misuse)?;
        let tower = Victim::initialised(model, self.training.seed)?;
        let normalisation = self.training.normalisation.open(CHANNELS, None)?;
        let training = Training {
            victim: &tower,
            recipe: &recipe,
            pictures: &pictures,
            test: test.as_ref(),
            normalisation: &normalisation,
            checkpoint: Some(CheckpointFile { path: &checkpoint, every: CHECKPOINT_EVERY }),
        };
        let device = self.training.device.open()?;
        let trained = self.training.train(&training, &*device)?;
        let about = self.about(&training, &normalisation, &trained);
        Bank::write(&self.training.out, &tower.state_dict_of(&trained.tensors), &about)?;
        // The weights are safe.
        outgoing::remove(&checkpoint)
            .with_context(|| format!("{} cannot be removed", checkpoint.display()))?;
        let Trained { reports, said, .. } = trained;
        said?;

        let seconds: f64 = reports.iter().map(|report| report.seconds).sum();
        let out: &PathBuf = &self.training.out;
        if self.training.json {
            return print_json(&json!({
                "weights": out,
                "about": about,
                "device": device.info(),
                "seconds": seconds,
                "epochs": reports,
            }));
        }
        print_line(format!(
            "{}: {} against {names} names after {} epochs, {seconds:.0} s; {} bytes",
            out.display(),
            self.arch,
            recipe.epochs,
            fs::metadata(out)?.len(),
        ))
    }

    fn set_shares(&self, pictures: &mut Pictures) -> anyhow::Result<()> {
        for share in &self.share {
            let wrong =
                |what: &str| misuse(format!("--share: expected NAME=SHARE with {what}, found '{share}'"));
            let (name, number) = share.split_once('=').ok_or_else(|| wrong("'=' between"))?;
            let number: f64 = number.parse().map_err(|_| wrong("a number"))?;
            if !(number > 0.0 && number <= 100.0) {
                return Err(wrong("a number above 0, at most 100"));
            }
            let part = pictures.parts.iter_mut().find(|part| part.name == name);
            part.ok_or_else(|| wrong("a name in --data"))?.share = number;
        }
        Ok(())
    }

    fn about(&self, training: &Training, normalisation: &Normalisation, trained: &Trained) -> About {
        let pictures = training.pictures;
        let sets = pictures.parts.iter();
        let shares: Vec<_> =
            sets.clone().map(|p| json!({"name": p.name, "pictures": p.len, "share": p.share})).collect();
        About {
            architecture: self.arch.clone(),
            options: String::new(),
            size: self.image_size,
            mean: normalisation.mean().to_vec(),
            std: normalisation.std().to_vec(),
            concepts: pictures.class_names.clone(),
            sets: sets.map(|p| ConceptSet { name: p.name.clone(), concepts: p.classes.clone() }).collect(),
            training: json!({"recipe": training.recipe, "data": shares, "half": self.half, "epochs": trained.results()}),
        }
    }
}
