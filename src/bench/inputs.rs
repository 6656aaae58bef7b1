//! The numbers that an iteration starts from: drawn by seed, or from a file that somebody else computes with, too.

use std::path::Path;

use super::{BenchError, Subject, Work};
use crate::{
    attack::preset::Preset,
    data::{Normalisation, samples},
    device::Device,
    federated::{Client, Protocol, Victim},
    random,
    tensor_file::{Extra, ParameterSpec, TensorFile},
};

/// Names of tensors in the file.
const X: &str = "x";
const LABELS: &str = "labels";
const VICTIM: &str = "victim.";
const TARGET: &str = "target.";

/// The network, and what it is given.
pub struct Inputs {
    /// The model with its weights.
    pub victim: Victim,
    /// Whose last stage's iterations are measured.
    pub preset: Preset,
    /// `T`
    pub trials: usize,
    /// `B`
    pub batch: usize,
    /// Where an attack starts, or what is trained on: `(T,B,C,H,W)`, normalised.
    pub x: Vec<f32>,
    /// `(T,B)`
    pub labels: Vec<usize>,
    /// The gradient that each trial matches, `(T,…)` a trainable parameter; empty for training.
    pub target: Vec<Vec<f32>>,
}

impl Inputs {
    /// An untrained victim, and the gradient of other embedded sample pictures for every trial.
    pub fn drawn(device: &dyn Device, subject: &Subject, seed: u64) -> Result<Inputs, BenchError> {
        let victim = Victim::from_seed(&subject.victim, seed)?;
        let Subject { batch, trials, work, preset, .. } = *subject;
        let normalisation = Normalisation::default().for_channels(victim.image_shape()[0]);
        let samples = samples();
        let (mut pictures, mut labels) = (vec![], vec![]);
        for i in 0..trials * batch {
            pictures.push(samples.picture(i % samples.len())?.fitted(victim.image_shape())?);
            labels.push(samples.label(i % samples.len())? % victim.model.classes);
        }
        let pictures = normalisation.normalise(&pictures)?;
        if work == Work::Training {
            return Ok(Inputs { victim, preset, trials, batch, x: pictures, labels, target: vec![] });
        }
        let mut target: Vec<Vec<f32>> = vec![vec![]; victim.gradient_specs().len()];
        let mut client = Client::new(device, &victim, &Protocol::default(), batch)?;
        for (x, labels) in pictures.chunks(pictures.len() / trials).zip(labels.chunks(batch)) {
            let update = client.update(&victim, x, labels)?;
            target.iter_mut().zip(update.gradient).for_each(|(all, one)| all.extend(one));
        }
        let x = random::normal(&mut random::generator(seed, "start"), pictures.len());
        Ok(Inputs { victim, preset, trials, batch, x, labels, target })
    }

    /// Everything from a safetensors or `.npz` file: `x (T,B,C,H,W)`, `labels (T,B)` as floats, `victim.NAME` for
    /// every tensor of the victim, and for an attack `target.NAME (T,…)` for every trainable one.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape or type, or not finite; a label that is no class.
    pub fn read(path: &Path, subject: &Subject) -> Result<Inputs, BenchError> {
        let Subject { work, batch, trials, preset, .. } = *subject;
        let mut victim = Victim::from_seed(&subject.victim, 0)?;
        let file = TensorFile::read(path)?;
        let [c, h, w] = victim.image_shape();
        let spec = |name: &str, shape: Vec<usize>| ParameterSpec { name: name.into(), shape };
        let mut specs = vec![spec(X, vec![trials, batch, c, h, w]), spec(LABELS, vec![trials, batch])];
        let own = victim.declarations.iter();
        specs.extend(own.map(|d| spec(&format!("{VICTIM}{}", d.name), d.shape.clone())));
        if work == Work::Attack {
            let target = victim.gradient_specs().into_iter();
            specs.extend(
                target.map(|s| spec(&format!("{TARGET}{}", s.name), [&[trials], &s.shape[..]].concat())),
            );
        }
        let mut tensors = file.parameters(&specs, Extra::Any)?.into_iter().map(|tensor| tensor.data);
        let mut next = || tensors.next().expect("one a spec");
        let (x, labels) = (next(), class_indices(path, &next(), victim.model.classes)?);
        victim.tensors = (0..victim.declarations.len()).map(|_| next()).collect();
        victim.weights = path.display().to_string();
        Ok(Inputs { victim, preset, trials, batch, x, labels, target: tensors.collect() })
    }
}

/// Labels that a file holds as floats.
fn class_indices(path: &Path, labels: &[f32], classes: usize) -> Result<Vec<usize>, BenchError> {
    let class = |(index, &label): (usize, &f32)| match (0..classes).find(|&class| class as f32 == label) {
        Some(class) => Ok(class),
        None => {
            let path = path.display().to_string();
            Err(BenchError::Label { path, index, found: label, most: classes - 1 })
        }
    };
    labels.iter().enumerate().map(class).collect()
}
