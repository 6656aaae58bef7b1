//! Whole trainings: progress, checkpoints, and what goes wrong.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gia_gpu::{
    data::{Normalisation, samples},
    device::cpu::Cpu,
    federated::Victim,
    tensor_file::TensorFile,
    train::{
        Checkpoint, CheckpointFile, EpochReport, Evaluator, Optimiser, Pictures, Recipe, TrainError, Training,
    },
    watch::{Progress, Silent, Watch},
};

use super::victim;

/// What a training on the embedded samples needs.
struct Scene {
    victim: Victim,
    recipe: Recipe,
    pictures: Pictures,
    normalisation: Normalisation,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(recipe: Recipe) -> Scene {
        let victim = victim("mlp", "hidden=16", [1, 28, 28], 10);
        let pictures = Pictures::read(&samples(), [1, 28, 28], 10, None).unwrap();
        let normalisation = Normalisation::new(vec![0.3], vec![0.3]).unwrap();
        Scene { victim, recipe, pictures, normalisation, folder: tempfile::tempdir().unwrap() }
    }

    fn checkpoint(&self) -> PathBuf {
        self.folder.path().join("checkpoint")
    }

    /// A checkpoint after every step.
    fn training<'a>(&'a self, checkpoint: &'a Path) -> Training<'a> {
        Training {
            victim: &self.victim,
            recipe: &self.recipe,
            pictures: &self.pictures,
            test: Some(&self.pictures),
            normalisation: &self.normalisation,
            checkpoint: Some(CheckpointFile { path: checkpoint, every: Duration::ZERO }),
        }
    }
}

fn recipe() -> Recipe {
    let optimiser = Optimiser::Sgd { momentum: 0.9, nesterov: true };
    Recipe { epochs: 4, batch: 9, learning_rate: 0.05, optimiser, ..Recipe::default() }
}

#[test]
fn the_loss_falls_and_the_accuracy_rises() {
    let scene = Scene::new(Recipe { epochs: 15, augment: false, ..recipe() });
    let checkpoint = scene.checkpoint();
    let training = scene.training(&checkpoint);
    let (tensors, reports) =
        training.run(&Cpu::<f32>::new(), training.start(), &Silent, &mut |_| ()).unwrap();
    let (first, last) = (&reports[0], &reports[14]);
    assert!(last.loss < 0.3 * first.loss, "{first:?} {last:?}");
    assert!(last.train_accuracy > 0.8 && last.test_accuracy.unwrap() > 0.8, "{last:?}");
    assert_eq!(reports.iter().map(|r| r.epoch).collect::<Vec<_>>(), (1..=15).collect::<Vec<_>>());
    // Batches that do not divide the pictures give the same.
    let mut evaluator = Evaluator::new(&Cpu::<f32>::new(), &scene.victim.model, 7).unwrap();
    let found = evaluator.run(&tensors, &scene.pictures, &scene.normalisation, &Silent).unwrap();
    assert_eq!((found.logits.len(), Some(found.accuracy())), (400, last.test_accuracy));
}

/// Keeps a copy of the checkpoint as it was in the middle of a training.
struct Copier<'a> {
    from: &'a Path,
    to: &'a Path,
    step: usize,
}

impl Watch for Copier<'_> {
    fn progress(&self, _: &'static str, now: Progress) {
        if matches!(now, Progress::Iterations { done, .. } if done == self.step) {
            fs::copy(self.from, self.to).unwrap();
        }
    }
}

#[test]
fn a_resumed_training_ends_with_the_bits_of_an_uninterrupted_one() {
    let adam = Optimiser::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    resumes(recipe());
    resumes(Recipe { optimiser: adam, learning_rate: 1e-3, degraded: 0.5, ..recipe() });
}

fn resumes(recipe: Recipe) {
    let scene = Scene::new(recipe);
    let (checkpoint, copy) = (scene.checkpoint(), scene.folder.path().join("copy"));
    let training = scene.training(&checkpoint);
    let timeless = |reports: &[EpochReport]| -> Vec<EpochReport> {
        reports.iter().map(|r| EpochReport { seconds: 0.0, ..r.clone() }).collect()
    };
    // Four steps an epoch: after step 4 and so at an epoch's end, after step 6 inside one, at the end of all.
    for step in [5, 7, 16] {
        let copier = Copier { from: &checkpoint, to: &copy, step };
        let (tensors, reports) =
            training.run(&Cpu::<f32>::new(), training.start(), &copier, &mut |_| ()).unwrap();
        let again = scene.training(&copy);
        let from = again.resume(&Cpu::<f32>::new()).unwrap();
        assert_eq!(from.progress.epoch * 4 + from.progress.step, step - 1);
        let (resumed, resumed_reports) = again.run(&Cpu::<f32>::new(), from, &Silent, &mut |_| ()).unwrap();
        assert_eq!(resumed, tensors);
        assert_eq!(timeless(&resumed_reports), timeless(&reports));
        assert_eq!(
            again.resume(&Cpu::<f32>::new()).unwrap().state,
            training.resume(&Cpu::<f32>::new()).unwrap().state
        );
    }
}

#[test]
fn the_checkpoint_of_another_training_is_refused() {
    let mut scene = Scene::new(Recipe { epochs: 1, ..recipe() });
    let checkpoint = scene.checkpoint();
    let training = scene.training(&checkpoint);
    training.run(&Cpu::<f32>::new(), training.start(), &Silent, &mut |_| ()).unwrap();
    training.resume(&Cpu::<f32>::new()).unwrap();
    let refused =
        |scene: &Scene| scene.training(&checkpoint).resume(&Cpu::<f32>::new()).unwrap_err().to_string();

    scene.recipe.seed = 43;
    let message = refused(&scene);
    assert!(message.contains("seed was 42, is 43"), "{message}");
    scene.recipe = Recipe { epochs: 1, ..recipe() };
    scene.pictures.bytes[5] ^= 1;
    let message = refused(&scene);
    assert!(message.contains("pictures-crc32"), "{message}");
    scene.pictures.bytes[5] ^= 1;
    scene.victim = victim("mlp", "hidden=8", [1, 28, 28], 10);
    let message = refused(&scene);
    assert!(message.contains("options was \"hidden=16\""), "{message}");

    scene.victim = victim("mlp", "hidden=16", [1, 28, 28], 10);
    let mut other = Training { test: None, ..scene.training(&checkpoint) };
    let message = other.resume(&Cpu::<f32>::new()).unwrap_err().to_string();
    assert!(message.contains("test-crc32"), "{message}");
    other.test = Some(&scene.pictures);
    let message =
        other.resume(&Cpu::<f32>::new().with_isa("scalar".parse().unwrap())).unwrap_err().to_string();
    assert!(message.contains("device was"), "{message}");

    TensorFile::write(&checkpoint, &scene.victim.state_dict(), &BTreeMap::new()).unwrap();
    let message = refused(&scene);
    assert!(message.contains("no checkpoint of a training"), "{message}");
}

#[test]
fn a_checkpoint_that_was_changed_or_cannot_be_is_refused() {
    let scene = Scene::new(Recipe { epochs: 2, ..recipe() });
    let checkpoint = scene.checkpoint();
    let training = scene.training(&checkpoint);
    let device = Cpu::<f32>::new();
    training.run(&device, training.start(), &Silent, &mut |_| ()).unwrap();
    let good = training.resume(&device).unwrap();
    let bytes = fs::read(&checkpoint).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&checkpoint, changed).unwrap();
    let message = training.resume(&device).unwrap_err().to_string();
    assert!(message.contains("is damaged: its checksum"), "{message}");

    // As somebody may write it, with a checksum that fits.
    let identity = training.identity(&device).unwrap();
    let forged = |change: &dyn Fn(&mut Checkpoint)| {
        let mut forged = good.clone();
        change(&mut forged);
        forged.write(&checkpoint, &scene.victim.declarations, &identity).unwrap();
        training.resume(&device).unwrap_err().to_string()
    };
    type Change<'a> = &'a dyn Fn(&mut Checkpoint);
    let changes: [(Change, &str); 6] = [
        (&|c| c.progress.epoch = 3, "complete epochs"),
        (&|c| c.progress.step = 1, "steps of an epoch"),
        (&|c| c.progress.right = 1, "pictures that were right"),
        (&|c| c.progress.seconds = -1.0, "-1 s"),
        (&|c| c.progress.reports.truncate(1), "1 reports of 2 epochs"),
        (&|c| c.progress.reports[0].train_accuracy = 1.5, "2 reports of 2 epochs"),
    ];
    for (change, words) in changes {
        let message = forged(change);
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn a_training_that_diverges_says_so_and_leaves_the_last_checkpoint() {
    let scene = Scene::new(Recipe { learning_rate: 1e30, ..recipe() });
    let checkpoint = scene.checkpoint();
    let training = scene.training(&checkpoint);
    let error = training.run(&Cpu::<f32>::new(), training.start(), &Silent, &mut |_| ()).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { epoch: 1, .. }), "{error}");
    assert!(error.to_string().contains("diverges"), "{error}");
    let Checkpoint { progress, .. } = training.resume(&Cpu::<f32>::new()).unwrap();
    assert!(progress.loss.is_finite() && progress.step > 0);
}

#[test]
fn a_recipe_that_makes_no_sense_is_refused_by_the_options_name() {
    let good = recipe();
    good.check(40).unwrap();
    let momentum = Optimiser::Sgd { momentum: 1.0, nesterov: false };
    let beta = Optimiser::AdamW { beta1: 0.9, beta2: 1.0, epsilon: 1e-8 };
    for (recipe, words) in [
        (Recipe { epochs: 0, ..good.clone() }, ["epochs", "found 0"]),
        (Recipe { batch: 41, ..good.clone() }, ["batch", "1 to 40"]),
        (Recipe { learning_rate: 0.0, ..good.clone() }, ["learning-rate", "above 0"]),
        (Recipe { learning_rate: f64::NAN, ..good.clone() }, ["learning-rate", "NaN"]),
        (Recipe { optimiser: momentum, ..good.clone() }, ["momentum", "below 1"]),
        (Recipe { optimiser: beta, ..good.clone() }, ["beta2", "below 1"]),
        (Recipe { degraded: 1.5, ..good.clone() }, ["degraded", "1.5"]),
        (Recipe { weight_decay: -0.1, ..good.clone() }, ["weight-decay", "-0.1"]),
        (Recipe { label_smoothing: 1.5, ..good.clone() }, ["label-smoothing", "1.5"]),
    ] {
        let message = recipe.check(40).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
}
