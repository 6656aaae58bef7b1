//! The loop over epochs.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Checkpoint, CheckpointError, EvaluationError, Evaluator, Pictures, Progress, Recipe, RecipeError, Seen,
    State, one_cycle,
    pictures::Levels,
    robust_evaluate::{MEASURED, RobustEvaluator},
    stepping::Stepping,
    views::Epoch,
};
use crate::{
    data::Normalisation,
    device::{Device, DeviceError},
    federated::{ClientError, Victim},
    files::program,
    nn::ArchitectureError,
    tensor_file::TensorFileError,
    watch::{Silent, Stage, Watch},
};

/// Pictures that are evaluated at once.
const EVALUATION_BATCH: usize = 256;

/// A victim, what it learns from, and how.
pub struct Training<'a> {
    /// With its initial values.
    pub victim: &'a Victim,
    /// How it learns.
    pub recipe: &'a Recipe,
    /// What it learns from.
    pub pictures: &'a Pictures,
    /// To be evaluated after every epoch.
    pub test: Option<&'a Pictures>,
    /// From pixels in [0, 1] to what the network takes.
    pub normalisation: &'a Normalisation,
    /// Absent where nothing is to be kept of a training that is stopped.
    pub checkpoint: Option<CheckpointFile<'a>>,
}

/// Where a training goes on from.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointFile<'a> {
    /// Written after every epoch, and inside an epoch when this time has passed.
    pub path: &'a Path,
    /// Time between two checkpoints inside an epoch.
    pub every: Duration,
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean over its steps.
    pub loss: f64,
    /// Of pictures as they were shown, while the network learned.
    pub train_accuracy: f64,
    /// In [0, 1]; absent without test pictures.
    pub test_accuracy: Option<f64>,
    /// Mean over the test pictures; absent without any.
    pub test_cross_entropy: Option<f64>,
    /// Of test pictures that were changed to be named wrong, as far as the training says; absent where it is not robust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robust_accuracy: Option<f64>,
    /// Wall time of the epoch.
    pub seconds: f64,
}

/// Why a training fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device has no memory, or fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A client's training gives nothing to send.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The network cannot be built.
    #[error(transparent)]
    Model(#[from] ArchitectureError),
    /// A value of the recipe makes no sense.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The test pictures cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A checkpoint cannot be read, written or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file of tensors cannot be written.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The program's own file, which identifies it, cannot be read.
    #[error("this program's own file cannot be read: {0}")]
    Program(#[from] program::Unreadable),
    /// The training diverges.
    #[error(
        "the loss is {loss} at step {step} of epoch {epoch}: the training diverges; try a smaller learning rate"
    )]
    NotFinite {
        /// Of the step.
        loss: f32,
        /// From 1.
        epoch: usize,
        /// From 1, in the epoch.
        step: usize,
    },
    /// What is done is in the checkpoint, if there is a file for it.
    #[error("stopped early, after step {step} of epoch {epoch}")]
    Stopped {
        /// From 1.
        epoch: usize,
        /// Steps of that epoch that are done.
        step: usize,
    },
}

impl Training<'_> {
    /// What must be the same for a training to go on from a checkpoint and end with the same bits: also the program and the
    /// device, which round in their own ways.
    pub fn identity(&self, device: &dyn Device) -> Result<BTreeMap<String, Value>, TrainError> {
        let Value::Object(recipe) = json!(self.recipe) else { unreachable!("a recipe has fields") };
        let model = &self.victim.model;
        let more = [
            ("architecture", json!(model.name)),
            ("options", json!(model.options.to_string())),
            ("image", json!(model.image)),
            ("classes", json!(model.classes)),
            ("normalisation", json!(self.normalisation)),
            ("pictures", json!(self.pictures.len())),
            ("shares", json!(self.pictures.parts.iter().map(|part| part.share).collect::<Vec<_>>())),
            ("pictures-crc32", json!(self.pictures.checksum())),
            ("test-crc32", json!(self.test.map(Pictures::checksum))),
            ("device", json!(device.info().facts())),
            ("program", json!(program::fingerprint()?)),
        ];
        let more = more.into_iter().map(|(key, value)| (key.to_string(), value));
        Ok(recipe.into_iter().map(|(key, value)| (key.replace('_', "-"), value)).chain(more).collect())
    }

    /// The checkpoint that an earlier run of this training left; without a file for it, the beginning.
    ///
    /// # Errors
    /// It is of another training, device or program, or what it says of its progress cannot be.
    pub fn resume(&self, device: &dyn Device) -> Result<Checkpoint, TrainError> {
        let Some(CheckpointFile { path, .. }) = self.checkpoint else { return Ok(self.start()) };
        let (declarations, optimiser) = (&self.victim.declarations, self.recipe.optimiser);
        let checkpoint = Checkpoint::read(path, declarations, optimiser, &self.identity(device)?)?;
        let (recipe, steps) = (self.recipe, self.recipe.steps(self.pictures.shown()));
        match checkpoint.progress.problem(recipe.epochs, steps, recipe.batch) {
            Some(problem) => Err(CheckpointError::Progress { path: path.into(), problem }.into()),
            None => Ok(checkpoint),
        }
    }

    /// A training that has not begun.
    pub fn start(&self) -> Checkpoint {
        let state = State::start(self.victim, self.recipe.optimiser);
        Checkpoint { progress: Progress::default(), state }
    }

    /// Trains from a checkpoint to the end; parameters and buffers in `state_dict` order, and what each epoch
    /// came to.
    ///
    /// `epoch` is given each epoch's report when it is complete.
    ///
    /// # Errors
    /// A loss that is not finite, among others; the last checkpoint stays.
    pub fn run(
        &self,
        device: &dyn Device,
        from: Checkpoint,
        watch: &dyn Watch,
        epoch: &mut dyn FnMut(&EpochReport),
    ) -> Result<(Vec<Vec<f32>>, Vec<EpochReport>), TrainError> {
        let (recipe, model) = (self.recipe, &self.victim.model);
        recipe.check(self.pictures.shown())?;
        let mut step = Stepping::new(device, self.victim, recipe, self.normalisation)?;
        let mut evaluator = match self.test {
            Some(test) => Some(Evaluator::new(device, model, EVALUATION_BATCH.min(test.len().max(1)))?),
            None => None,
        };
        let mut robust = match (recipe.robust, self.test) {
            (Some(robust), Some(test)) => {
                let test = test.some(MEASURED);
                let batch = recipe.batch.min(test.len().max(1));
                Some((RobustEvaluator::new(device, model, batch, robust, self.normalisation)?, test))
            }
            _ => None,
        };
        step.write(&from.state)?;
        let mut progress = from.progress;
        let identity = self.identity(device)?;
        let stage = Stage::new(watch, "training");
        while progress.epoch < recipe.epochs {
            self.epoch(&mut step, &mut progress, &identity, watch, &stage)?;
            let started = Instant::now();
            let evaluation = match (&mut evaluator, self.test) {
                (Some(evaluator), Some(test)) => {
                    Some(evaluator.run(&step.tensors()?, test, self.normalisation, &Silent)?)
                }
                _ => None,
            };
            let robust = match &mut robust {
                Some((evaluator, test)) => {
                    Some(evaluator.accuracy(&step.tensors()?, test, self.normalisation)?)
                }
                None => None,
            };
            progress.seconds += started.elapsed().as_secs_f64();
            progress = progress.next_epoch(self.recipe.batch, evaluation, robust);
            self.save(&mut step, &progress, &identity)?;
            epoch(progress.reports.last().expect("an epoch is complete"));
            if watch.is_stopped() && progress.epoch < recipe.epochs {
                return Err(TrainError::Stopped { epoch: progress.epoch + 1, step: 0 });
            }
        }
        Ok((step.tensors()?, progress.reports))
    }

    /// The steps that are left of an epoch.
    fn epoch(
        &self,
        step: &mut Stepping,
        progress: &mut Progress,
        identity: &BTreeMap<String, Value>,
        watch: &dyn Watch,
        stage: &Stage,
    ) -> Result<(), TrainError> {
        let steps = self.recipe.steps(self.pictures.shown());
        let epoch = Epoch::draw(self.recipe, self.pictures, progress.epoch);
        let levels = Levels::new(self.normalisation);
        let length: usize = self.pictures.shape.iter().product();
        let mut images = vec![0.0; self.recipe.batch * length];
        let (mut saved, mut started) = (Instant::now(), Instant::now());
        while progress.step < steps {
            let labels = epoch.batch(self.pictures, &levels, progress.step, self.recipe.batch, &mut images);
            let all = steps * self.recipe.epochs;
            let done = progress.epoch * steps + progress.step;
            let rate = one_cycle(self.recipe.learning_rate, done, all);
            let Seen { loss, right } = step.run(&images, &labels, rate, done)?;
            if !loss.is_finite() {
                let (epoch, step) = (progress.epoch + 1, progress.step + 1);
                return Err(TrainError::NotFinite { loss, epoch, step });
            }
            progress.step += 1;
            progress.loss += f64::from(loss);
            progress.right += right;
            progress.seconds += started.elapsed().as_secs_f64();
            started = Instant::now();
            stage.iterations(done + 1, all, &[loss]);
            let due = self.checkpoint.is_some_and(|file| saved.elapsed() >= file.every);
            let stopped = watch.is_stopped();
            if (due || stopped) && progress.step < steps {
                self.save(step, progress, identity)?;
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
        step: &mut Stepping,
        progress: &Progress,
        identity: &BTreeMap<String, Value>,
    ) -> Result<(), TrainError> {
        let Some(CheckpointFile { path, .. }) = self.checkpoint else { return Ok(()) };
        let checkpoint = Checkpoint { progress: progress.clone(), state: step.read()? };
        Ok(checkpoint.write(path, &self.victim.declarations, identity)?)
    }
}
