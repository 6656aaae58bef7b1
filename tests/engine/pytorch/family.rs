//! A victim of `make_families.py`: its weights by formula, and what PyTorch found about it.

use std::collections::{BTreeMap, HashMap};

use gia_gpu::{
    nn::{Mode, Model, Parameter, loss::one_hot},
    tape::Var,
};

use super::formula;
use crate::common::{Reference, fixture, metadata};

pub const BATCH: usize = 2;

pub struct Family {
    pub name: String,
    pub model: Model,
    pub about: HashMap<String, String>,
    pub found: BTreeMap<String, Reference>,
}

impl Family {
    /// The fixture of this path, without `.safetensors`.
    pub fn load(name: &str) -> Family {
        let about = metadata(name);
        let image: Vec<usize> = about["image"].split(',').map(|n| n.parse().unwrap()).collect();
        let options = about["options"].parse().unwrap();
        let classes = about["classes"].parse().unwrap();
        let image = [0, 1, 2].map(|i| image[i]);
        let model = Model::new(&about["arch"], &options, Some(image), classes).unwrap();
        Family { name: name.into(), model, about, found: fixture(name) }
    }

    pub fn data(&self, key: &str) -> &[f64] {
        &self.found.get(key).unwrap_or_else(|| panic!("{} has no {key}", self.name)).data
    }

    /// The seed of this run's pictures.
    pub fn seed(&self, run: &str) -> usize {
        self.about[&format!("{run}.seed")].parse().unwrap()
    }

    /// `batch` pictures of a run; other ordinals are other pictures.
    pub fn pictures(&self, run: &str, ordinal: usize, batch: usize) -> Vec<f64> {
        formula::picture(self.seed(run), ordinal, batch * self.model.image.iter().product::<usize>())
    }

    /// One-hot rows of the labels 1, 2, …, modulo the classes.
    pub fn targets(&self, batch: usize) -> Vec<f64> {
        let labels: Vec<usize> = (1..=batch).map(|label| label % self.model.classes).collect();
        one_hot(&labels, self.model.classes).into_iter().map(f64::from).collect()
    }

    pub fn weights(&self, parameters: &[Parameter]) -> Vec<(Var, Vec<f64>)> {
        let gain = self.about["gain"].parse().unwrap();
        let value = |(i, p): (usize, &Parameter)| {
            (p.stored, formula::weight(i, &p.declaration.name, &p.declaration.shape, gain))
        };
        parameters.iter().enumerate().map(value).collect()
    }

    /// The observed gradient, tensor by tensor as long as the trial's, given the table of its sketches.
    pub fn observed(&self, parameters: &[Parameter], table: &str) -> Vec<Vec<f64>> {
        let norms = self.data(table).chunks(1 + formula::SIGN_VECTORS).map(|row| row[0]);
        let trainable = parameters.iter().filter(|p| p.declaration.trainable);
        let tensor = |(i, (norm, p)): (usize, (f64, &Parameter))| {
            formula::observed(i, norm, p.declaration.shape.iter().product())
        };
        norms.zip(trainable).enumerate().map(tensor).collect()
    }
}

/// As in the fixtures' keys.
pub fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Eval => "eval",
        Mode::Train => "train",
    }
}
