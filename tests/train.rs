//! Training: one step against its definition, running statistics, checkpoints, and what goes wrong.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gia_gpu::{
    data::{Normalisation, samples},
    device::cpu::Cpu,
    federated::{Request, Victim},
    nn::Options,
    tensor_file::TensorFile,
    train::{
        Checkpoint, EpochReport, Evaluator, Observer, Optimiser, Part, Pictures, Recipe, State, Step,
        TrainError, Training,
    },
};

fn victim(name: &str, options: &str, image: [usize; 3], classes: usize) -> Victim {
    let options: Options = options.parse().unwrap();
    let request = Request { name: name.into(), options, image: Some(image), classes: Some(classes) };
    Victim::from_seed(&request, 7).unwrap()
}

fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= 2e-7 * expected.abs() + 1e-9, "{what}[{i}]: expected {expected}, found {found}");
    }
}

const INPUTS: usize = 4;
const HIDDEN: usize = 3;
const CLASSES: usize = 3;

/// Gradient of the mean cross entropy against smoothed labels, of two linear layers with ReLU between, tensors
/// in the order weight, bias, weight, bias.
fn gradient(tensors: &[Vec<f64>], images: &[f32], labels: &[usize], smoothing: f64) -> Vec<Vec<f64>> {
    let mut gradient: Vec<Vec<f64>> = tensors.iter().map(|t| vec![0.0; t.len()]).collect();
    for (x, &label) in images.chunks(INPUTS).zip(labels) {
        let linear = |w: &[f64], b: &[f64], x: &[f64]| -> Vec<f64> {
            let row = |(row, b): (&[f64], &f64)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b;
            w.chunks(x.len()).zip(b).map(row).collect()
        };
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let hidden: Vec<f64> = linear(&tensors[0], &tensors[1], &x).iter().map(|v| v.max(0.0)).collect();
        let logits = linear(&tensors[2], &tensors[3], &hidden);
        let total: f64 = logits.iter().map(|l| l.exp()).sum();
        let mut behind = [0.0; HIDDEN];
        for k in 0..CLASSES {
            let target = (1.0 - smoothing) * f64::from(k == label) + smoothing / CLASSES as f64;
            let error = (logits[k].exp() / total - target) / labels.len() as f64;
            gradient[3][k] += error;
            for j in 0..HIDDEN {
                gradient[2][k * HIDDEN + j] += error * hidden[j];
                behind[j] += error * tensors[2][k * HIDDEN + j];
            }
        }
        for j in (0..HIDDEN).filter(|&j| hidden[j] > 0.0) {
            gradient[1][j] += behind[j];
            (0..INPUTS).for_each(|i| gradient[0][j * INPUTS + i] += behind[j] * x[i]);
        }
    }
    gradient
}

#[test]
fn steps_are_sgd_with_momentum_weight_decay_and_label_smoothing() {
    let victim = victim("mlp", "hidden=3", [1, 2, 2], CLASSES);
    let images: Vec<f32> = (0..6 * INPUTS).map(|i| (i * 37 % 11) as f32 / 5.0 - 1.0).collect();
    let labels = [0, 2, 1, 1, 0, 2];
    for nesterov in [false, true] {
        let recipe = Recipe {
            batch: labels.len(),
            optimiser: Optimiser::Sgd { momentum: 0.9, nesterov },
            weight_decay: 0.01,
            label_smoothing: 0.1,
            ..Recipe::default()
        };
        let mut step = Step::new(&Cpu::<f64>::new(), &victim.model, &recipe).unwrap();
        step.write(&State::start(&victim, recipe.optimiser)).unwrap();
        let wide = |tensors: &[Vec<f32>]| -> Vec<Vec<f64>> {
            tensors.iter().map(|t| t.iter().map(|&v| f64::from(v)).collect()).collect()
        };
        let mut tensors = wide(&victim.tensors);
        let mut momenta: Vec<Vec<f64>> = tensors.iter().map(|t| vec![0.0; t.len()]).collect();
        for rate in [0.5, 0.25, 0.125] {
            step.run(&images, &labels, rate, 0).unwrap();
            let gradient = gradient(&tensors, &images, &labels, 0.1);
            for (t, gradient) in gradient.iter().enumerate() {
                // Weights decay, biases do not.
                let decay = if t % 2 == 0 { 0.01 } else { 0.0 };
                for (i, gradient) in gradient.iter().enumerate() {
                    let force = gradient + decay * tensors[t][i];
                    momenta[t][i] = 0.9 * momenta[t][i] + force;
                    let direction = if nesterov { force + 0.9 * momenta[t][i] } else { momenta[t][i] };
                    tensors[t][i] -= rate * direction;
                }
            }
        }
        let found = step.read().unwrap();
        for (t, name) in ["1.weight", "1.bias", "3.weight", "3.bias"].iter().enumerate() {
            assert_close(name, &found.tensors[t], &tensors[t]);
            assert_close(&format!("momentum of {name}"), &found.memories[0][t], &momenta[t]);
        }
    }
}

#[test]
fn steps_of_adamw_are_its_papers_with_decoupled_weight_decay() {
    let victim = victim("mlp", "hidden=3", [1, 2, 2], CLASSES);
    let images: Vec<f32> = (0..6 * INPUTS).map(|i| (i * 37 % 11) as f32 / 5.0 - 1.0).collect();
    let labels = [0, 2, 1, 1, 0, 2];
    let (beta1, beta2, epsilon) = (0.8, 0.95, 1e-3);
    let optimiser = Optimiser::AdamW { beta1, beta2, epsilon };
    let recipe = Recipe { batch: labels.len(), optimiser, weight_decay: 0.01, ..Recipe::default() };
    let mut step = Step::new(&Cpu::<f64>::new(), &victim.model, &recipe).unwrap();
    step.write(&State::start(&victim, optimiser)).unwrap();
    let wide = |t: &Vec<f32>| -> Vec<f64> { t.iter().map(|&v| f64::from(v)).collect() };
    let mut tensors: Vec<Vec<f64>> = victim.tensors.iter().map(wide).collect();
    let mut moments: [Vec<Vec<f64>>; 2] =
        [0, 1].map(|_| tensors.iter().map(|t| vec![0.0; t.len()]).collect());
    for (number, rate) in [0.05, 0.1, 0.02].into_iter().enumerate() {
        step.run(&images, &labels, rate, number).unwrap();
        let gradient = gradient(&tensors, &images, &labels, 0.0);
        let corrections = [beta1, beta2].map(|beta: f64| 1.0 - beta.powi(number as i32 + 1));
        for (t, gradient) in gradient.iter().enumerate() {
            // Weights decay, biases do not.
            let decay = if t % 2 == 0 { 0.01 } else { 0.0 };
            for (i, g) in gradient.iter().enumerate() {
                let value = &mut tensors[t][i];
                let [m, v] = &mut moments;
                m[t][i] = beta1 * m[t][i] + (1.0 - beta1) * g;
                v[t][i] = beta2 * v[t][i] + (1.0 - beta2) * g * g;
                let direction = m[t][i] / corrections[0] / ((v[t][i] / corrections[1]).sqrt() + epsilon);
                *value -= rate * (direction + decay * *value);
            }
        }
    }
    let found = step.read().unwrap();
    for (t, name) in ["1.weight", "1.bias", "3.weight", "3.bias"].iter().enumerate() {
        assert_close(name, &found.tensors[t], &tensors[t]);
        assert_close(&format!("momentum of {name}"), &found.memories[0][t], &moments[0][t]);
        assert_close(&format!("squares of {name}"), &found.memories[1][t], &moments[1][t]);
    }
}

#[test]
fn running_statistics_move_a_tenth_towards_the_batchs_with_the_unbiased_variance() {
    let victim = victim("resnet20", "", [3, 8, 8], 4);
    let images: Vec<f32> = (0..2 * 3 * 64).map(|i| (i * 53 % 29) as f32 / 14.0 - 1.0).collect();
    let recipe = Recipe { batch: 2, ..Recipe::default() };
    let mut step = Step::new(&Cpu::<f64>::new(), &victim.model, &recipe).unwrap();
    let mut state = State::start(&victim, recipe.optimiser);
    let position = |name: &str| victim.declarations.iter().position(|d| d.name == name).unwrap();
    let [mean_at, variance_at] = ["bn1.running_mean", "bn1.running_var"].map(position);
    state.tensors[mean_at].fill(3.0);
    state.tensors[variance_at].fill(5.0);
    step.write(&state).unwrap();
    let seen = step.run(&images, &[0, 3], 0.1, 0).unwrap();
    assert!(seen.loss.is_finite() && seen.right <= 2, "{seen:?}");
    let found = step.tensors().unwrap();

    let weight = &victim.tensors[position("conv1.weight")];
    let pixel = |b: usize, c: usize, y: isize, x: isize| match (0..8).contains(&y) && (0..8).contains(&x) {
        true => f64::from(images[(b * 3 + c) * 64 + y as usize * 8 + x as usize]),
        false => 0.0,
    };
    let (mut means, mut variances) = (vec![], vec![]);
    for o in 0..16 {
        let mut values = vec![];
        for (b, y, x) in (0..2).flat_map(|b| (0..64).map(move |at| (b, at / 8, at % 8))) {
            let product = |tap: usize| {
                let (c, ky, kx) = (tap / 9, tap % 9 / 3, tap % 3);
                f64::from(weight[o * 27 + tap]) * pixel(b, c, y + ky as isize - 1, x + kx as isize - 1)
            };
            values.push((0..27).map(product).sum::<f64>());
        }
        let mean = values.iter().sum::<f64>() / 128.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 127.0;
        means.push(0.9 * 3.0 + 0.1 * mean);
        variances.push(0.9 * 5.0 + 0.1 * variance);
    }
    assert_close("running mean", &found[mean_at], &means);
    assert_close("running variance", &found[variance_at], &variances);
}

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
            checkpoint,
            checkpoint_every: Duration::ZERO,
        }
    }
}

fn recipe() -> Recipe {
    let optimiser = Optimiser::Sgd { momentum: 0.9, nesterov: true };
    Recipe { epochs: 4, batch: 9, learning_rate: 0.05, optimiser, ..Recipe::default() }
}

struct Nobody;
impl Observer for Nobody {}

#[test]
fn the_loss_falls_and_the_accuracy_rises() {
    let scene = Scene::new(Recipe { epochs: 15, augment: false, ..recipe() });
    let checkpoint = scene.checkpoint();
    let training = scene.training(&checkpoint);
    let (tensors, reports) = training.run(&Cpu::<f32>::new(), training.start(), &mut Nobody).unwrap();
    let (first, last) = (&reports[0], &reports[14]);
    assert!(last.loss < 0.3 * first.loss, "{first:?} {last:?}");
    assert!(last.train_accuracy > 0.8 && last.test_accuracy.unwrap() > 0.8, "{last:?}");
    assert_eq!(reports.iter().map(|r| r.epoch).collect::<Vec<_>>(), (1..=15).collect::<Vec<_>>());
    // Batches that do not divide the pictures give the same.
    let mut evaluator = Evaluator::new(&Cpu::<f32>::new(), &scene.victim.model, 7).unwrap();
    let found = evaluator.run(&tensors, &scene.pictures, &scene.normalisation, &mut |_| ()).unwrap();
    assert_eq!((found.logits.len(), Some(found.accuracy())), (400, last.test_accuracy));
}

/// Keeps a copy of the checkpoint as it was in the middle of a training.
struct Copier<'a> {
    from: &'a Path,
    to: &'a Path,
    step: usize,
}

impl Observer for Copier<'_> {
    fn step(&mut self, done: usize, _: usize, _: f32) {
        if done == self.step {
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
        let mut copier = Copier { from: &checkpoint, to: &copy, step };
        let (tensors, reports) = training.run(&Cpu::<f32>::new(), training.start(), &mut copier).unwrap();
        let again = scene.training(&copy);
        let from = again.resume().unwrap();
        assert_eq!(from.progress.epoch * 4 + from.progress.step, step - 1);
        let (resumed, resumed_reports) = again.run(&Cpu::<f32>::new(), from, &mut Nobody).unwrap();
        assert_eq!(resumed, tensors);
        assert_eq!(timeless(&resumed_reports), timeless(&reports));
        assert_eq!(again.resume().unwrap().state, training.resume().unwrap().state);
    }
}

#[test]
fn the_checkpoint_of_another_training_is_refused() {
    let mut scene = Scene::new(Recipe { epochs: 1, ..recipe() });
    let checkpoint = scene.checkpoint();
    let training = scene.training(&checkpoint);
    training.run(&Cpu::<f32>::new(), training.start(), &mut Nobody).unwrap();
    training.resume().unwrap();
    let refused = |scene: &Scene| scene.training(&checkpoint).resume().unwrap_err().to_string();

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

    TensorFile::write(&checkpoint, &scene.victim.state_dict(), &BTreeMap::new()).unwrap();
    let message = refused(&scene);
    assert!(message.contains("no checkpoint of a training"), "{message}");
}

#[test]
fn a_training_that_diverges_says_so_and_leaves_the_last_checkpoint() {
    let scene = Scene::new(Recipe { learning_rate: 1e30, ..recipe() });
    let checkpoint = scene.checkpoint();
    let training = scene.training(&checkpoint);
    let error = training.run(&Cpu::<f32>::new(), training.start(), &mut Nobody).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { epoch: 1, .. }), "{error}");
    assert!(error.to_string().contains("diverges"), "{error}");
    let Checkpoint { progress, .. } = training.resume().unwrap();
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

#[test]
fn a_limit_takes_pictures_from_all_over_the_data_set() {
    let data = samples();
    let some = Pictures::read(&data, [1, 28, 28], 10, Some(4)).unwrap();
    assert_eq!(some.labels, [0, 10, 20, 30].map(|i| data.labels()[i]));
    assert_eq!(Pictures::read(&data, [1, 28, 28], 10, Some(99)).unwrap().len(), 40);
    let message = Pictures::read(&data, [1, 28, 28], 5, None).unwrap_err().to_string();
    assert!(message.contains("5 classes"), "{message}");
}

#[test]
fn joined_data_sets_share_the_names_that_they_have_in_common() {
    let set = |name: &str, classes: &[&str], labels: &[usize]| Pictures {
        shape: [1, 1, 1],
        bytes: labels.iter().map(|&label| label as u8).collect(),
        labels: labels.to_vec(),
        class_names: classes.iter().map(|name| name.to_string()).collect(),
        parts: vec![Part {
            name: name.into(),
            len: labels.len(),
            share: 1.0,
            classes: (0..classes.len()).collect(),
        }],
    };
    let mut all = Pictures::join(vec![
        set("shoes", &["Sandal", "boot"], &[0, 1, 1, 0]),
        set("things", &["cup", "sandal"], &[1, 0]),
    ]);
    assert_eq!(all.class_names, ["Sandal", "boot", "cup"]);
    assert_eq!(all.labels, [0, 1, 1, 0, 0, 2]);
    assert_eq!(all.parts[1].classes, [2, 0]);
    assert_eq!((all.len(), all.shown()), (6, 6));
    all.parts[0].share = 0.5;
    all.parts[1].share = 2.0;
    assert_eq!(all.shown(), 2 + 4);
}
