//! Training a generator of pictures, on the same engine that attacks with it.

mod made;
mod step;

use std::{collections::BTreeMap, time::Instant};

use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use made::made;
pub use step::{Adversaries, Judged, Shown, Step};

use super::{
    Checkpoint, CheckpointError, CheckpointFile, EpochReport, Optimiser, Pictures, Progress, Recipe, State,
    TrainError, pictures::Levels, views::Epoch,
};
use crate::{
    data::Normalisation,
    device::Device,
    files::program,
    nn::{
        generator::{Dcgan, Discriminator, Generator},
        loss::one_hot,
    },
    random,
    watch::{Stage, Watch},
};

/// Side of the pictures.
pub const SIDE: usize = 32;
/// Share of the pictures whose class is left open, so that the generator can do without.
const OPEN: f64 = 0.1;

/// How to train a generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratorRecipe {
    /// Passes over the pictures.
    pub epochs: usize,
    /// Pictures of the data in a step, and as many made ones.
    pub batch: usize,
    /// Of both networks, the same for all steps.
    pub learning_rate: f64,
    /// How gradients move parameters.
    pub optimiser: Optimiser,
    /// f: least channels of both networks, which have 8f, 4f, 2f and f.
    pub width: usize,
    /// Whether it knows the classes of the data.
    pub conditional: bool,
    /// Of first values, order and numbers.
    pub seed: u64,
}

impl Default for GeneratorRecipe {
    /// Batch, rates and widths of Radford 2016, against another discriminator ([`Discriminator`]).
    fn default() -> Self {
        let optimiser = Optimiser::AdamW { beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };
        GeneratorRecipe {
            epochs: 40,
            batch: 64,
            learning_rate: 2e-4,
            optimiser,
            width: 32,
            conditional: false,
            seed: 42,
        }
    }
}

impl GeneratorRecipe {
    /// What a training of pictures as they are has in common with it.
    pub fn shown(&self) -> Recipe {
        Recipe {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            optimiser: self.optimiser,
            weight_decay: 0.0,
            augment: false,
            seed: self.seed,
            ..Recipe::default()
        }
    }
}

/// A recipe and what is learned from.
pub struct GeneratorTraining<'a> {
    /// How to train.
    pub recipe: &'a GeneratorRecipe,
    /// 32×32.
    pub pictures: &'a Pictures,
    /// Absent where nothing is to be kept of a training that is stopped.
    pub checkpoint: Option<CheckpointFile<'a>>,
}

impl GeneratorTraining<'_> {
    /// Both networks, as the recipe has them.
    pub fn adversaries(&self) -> Adversaries {
        let (recipe, image) = (self.recipe, self.pictures.shape);
        let classes = if recipe.conditional { self.pictures.class_names.len() } else { 0 };
        Adversaries {
            generator: Dcgan::to_train(recipe.width, image[0], classes),
            discriminator: Discriminator { f: recipe.width, image, classes },
            batch: recipe.batch,
            optimiser: recipe.optimiser,
        }
    }

    /// What must be the same for a training to go on. The number of epochs may grow: nothing depends on how many are left.
    fn identity(&self, device: &dyn Device) -> Result<BTreeMap<String, Value>, TrainError> {
        let Value::Object(recipe) = json!(self.recipe) else { unreachable!("a recipe has fields") };
        let more = [
            ("pictures", json!(self.pictures.len())),
            ("pictures-crc32", json!(self.pictures.checksum())),
            ("device", json!(device.info().facts())),
            ("program", json!(program::fingerprint()?)),
        ];
        let recipe = recipe.into_iter().filter(|(key, _)| key != "epochs");
        let recipe = recipe.map(|(key, value)| (key.replace('_', "-"), value));
        Ok(recipe.chain(more.map(|(key, value)| (key.to_string(), value))).collect())
    }

    /// The checkpoint that an earlier run of this training left; without a file for it, the beginning.
    ///
    /// # Errors
    /// It is of another training, device or program, or what it says of its progress cannot be.
    pub fn resume(&self, device: &dyn Device) -> Result<Checkpoint, TrainError> {
        let Some(CheckpointFile { path, .. }) = self.checkpoint else { return Ok(self.start()) };
        let (recipe, declarations) = (self.recipe, self.adversaries().declarations());
        let checkpoint = Checkpoint::read(path, &declarations, recipe.optimiser, &self.identity(device)?)?;
        let steps = self.pictures.len() / recipe.batch;
        match checkpoint.progress.problem(recipe.epochs, steps, recipe.batch) {
            Some(problem) => Err(CheckpointError::Progress { path: path.into(), problem }.into()),
            None => Ok(checkpoint),
        }
    }

    /// A training that has not begun.
    pub fn start(&self) -> Checkpoint {
        Checkpoint { progress: Progress::default(), state: self.adversaries().start(self.recipe.seed) }
    }

    /// Trains from a checkpoint to the end; the tensors of the averaged generator, and what each epoch came to: its loss is
    /// the generator's, its accuracy the share of made pictures that the discriminator recognised.
    ///
    /// `epoch` is given each epoch's report and the averaged generator's tensors when it is complete.
    ///
    /// # Errors
    /// A recipe that fits no training, a loss that is not finite, a device or file that fails, or `watch` says to stop.
    pub fn run(
        &self,
        device: &dyn Device,
        from: Checkpoint,
        watch: &dyn Watch,
        epoch: &mut dyn FnMut(&EpochReport, &[Vec<f32>]),
    ) -> Result<(Vec<Vec<f32>>, Vec<EpochReport>), TrainError> {
        let (recipe, adversaries) = (self.recipe, self.adversaries());
        recipe.shown().check(self.pictures.len())?;
        let mut step = Step::new(device, &adversaries)?;
        step.write(&from.state)?;
        let mut progress = from.progress;
        let identity = self.identity(device)?;
        let stage = Stage::new(watch, "training");
        let mut state = from.state;
        while progress.epoch < recipe.epochs {
            self.epoch(&adversaries, &mut step, &mut progress, &identity, watch, &stage)?;
            progress = progress.next_epoch(recipe.batch, None, None);
            state = step.read()?;
            self.save(&adversaries, &state, &progress, &identity)?;
            let report = progress.reports.last().expect("an epoch is complete");
            epoch(report, adversaries.average(&state));
            if watch.is_stopped() && progress.epoch < recipe.epochs {
                return Err(TrainError::Stopped { epoch: progress.epoch + 1, step: 0 });
            }
        }
        Ok((adversaries.average(&state).to_vec(), progress.reports))
    }

    /// The steps that are left of an epoch.
    fn epoch(
        &self,
        adversaries: &Adversaries,
        step: &mut Step,
        progress: &mut Progress,
        identity: &BTreeMap<String, Value>,
        watch: &dyn Watch,
        stage: &Stage,
    ) -> Result<(), TrainError> {
        let (recipe, pictures) = (self.recipe, self.pictures);
        let steps = pictures.len() / recipe.batch;
        let epoch = Epoch::draw(&recipe.shown(), pictures, progress.epoch);
        let levels = Levels::new(&symmetric(pictures.shape[0]));
        let mut images = vec![0.0; recipe.batch * pictures.shape.iter().product::<usize>()];
        let (mut saved, mut started) = (Instant::now(), Instant::now());
        while progress.step < steps {
            let labels = epoch.batch(pictures, &levels, progress.step, recipe.batch, &mut images);
            let done = progress.epoch * steps + progress.step;
            let (latent, shares) = made_of(adversaries, &labels, recipe.seed, done);
            let shown = Shown { pictures: &images, latent: &latent, shares: &shares };
            let judged = step.run(&shown, recipe.learning_rate, done)?;
            let losses = [judged.generator, judged.discriminator];
            if let Some(&loss) = losses.iter().find(|loss| !loss.is_finite()) {
                let (epoch, step) = (progress.epoch + 1, progress.step + 1);
                return Err(TrainError::NotFinite { loss, epoch, step });
            }
            progress.step += 1;
            progress.loss += f64::from(judged.generator);
            progress.right += judged.recognised;
            progress.seconds += started.elapsed().as_secs_f64();
            started = Instant::now();
            stage.iterations(done + 1, steps * recipe.epochs, &losses);
            let due = self.checkpoint.is_some_and(|file| saved.elapsed() >= file.every);
            let stopped = watch.is_stopped();
            if (due || stopped) && progress.step < steps {
                self.save(adversaries, &step.read()?, progress, identity)?;
                saved = Instant::now();
            }
            if stopped && progress.step < steps {
                return Err(TrainError::Stopped { epoch: progress.epoch + 1, step: progress.step });
            }
        }
        Ok(())
    }

    fn save(
        &self,
        adversaries: &Adversaries,
        state: &State,
        progress: &Progress,
        identity: &BTreeMap<String, Value>,
    ) -> Result<(), TrainError> {
        let Some(CheckpointFile { path, .. }) = self.checkpoint else { return Ok(()) };
        let checkpoint = Checkpoint { progress: progress.clone(), state: state.clone() };
        Ok(checkpoint.write(path, &adversaries.declarations(), identity)?)
    }
}

/// Pixels in [0, 1] as the generator's tanh has them.
fn symmetric(channels: usize) -> Normalisation {
    Normalisation::new(vec![0.5; channels], vec![0.5; channels]).expect("halves are valid")
}

/// What step `step` makes pictures of, `(B,Z)`, and the classes' shares `(B,K)`, those of the pictures of the data.
fn made_of(adversaries: &Adversaries, labels: &[usize], seed: u64, step: usize) -> (Vec<f32>, Vec<f32>) {
    let classes = adversaries.discriminator.classes;
    let numbers = adversaries.generator.latent() - classes;
    let mut generator = random::generator(seed, &format!("latent of step {step}"));
    let free = random::normal(&mut generator, labels.len() * numbers);
    if classes == 0 {
        return (free, vec![0.0; labels.len()]);
    }
    let mut shares = one_hot(labels, classes);
    for row in shares.chunks_mut(classes) {
        if generator.random_bool(OPEN) {
            row.fill(1.0 / classes as f32);
        }
    }
    (beside(&free, numbers, &shares, classes), shares)
}

/// Rows of `a` numbers each followed by a row of `b`.
fn beside(first: &[f32], a: usize, second: &[f32], b: usize) -> Vec<f32> {
    first.chunks(a).zip(second.chunks(b)).flat_map(|(first, second)| [first, second].concat()).collect()
}

/// Numbers `(N,Z)` for pictures of these classes, N(0, 1) by the seed; a class that is absent is left open.
pub fn latents(generator: &Dcgan, classes: &[Option<usize>], seed: u64, purpose: &str) -> Vec<f32> {
    let known = generator.classes();
    let numbers = generator.latent() - known;
    let free = random::normal(&mut random::generator(seed, purpose), classes.len() * numbers);
    if known == 0 {
        return free;
    }
    let row = |class: &Option<usize>| match class {
        Some(class) => one_hot(&[*class], known),
        None => vec![1.0 / known as f32; known],
    };
    beside(&free, numbers, &classes.iter().flat_map(row).collect::<Vec<f32>>(), known)
}
