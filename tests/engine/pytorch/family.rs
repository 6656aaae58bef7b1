//! A victim of `make_families.py`: its weights by formula, and what PyTorch found about it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use gia_gpu::{
    federated::Request,
    nn::{Mode, Model, Parameter, graph::Graph, loss::one_hot},
    tape::Var,
};

use super::formula;
use crate::common::{Reference, fixture, fixture_path, metadata};

pub(crate) const BATCH: usize = 2;

pub(crate) struct Family {
    pub name: String,
    pub model: Model,
    pub about: HashMap<String, String>,
    pub found: BTreeMap<String, Reference>,
}

impl Family {
    /// The fixture of this path, without `.safetensors`.
    pub(crate) fn load(name: &str) -> Family {
        let about = metadata(name);
        let image: Vec<usize> = about["image"].split(',').map(|n| n.parse().unwrap()).collect();
        let options = about["options"].parse().unwrap();
        let classes = about["classes"].parse().unwrap();
        let image = [0, 1, 2].map(|i| image[i]);
        let model = match about["arch"].strip_prefix("graphs/") {
            None => Model::new(&about["arch"], &options, Some(image), classes).unwrap(),
            Some(file) => graph_model(file),
        };
        assert_eq!((model.image, model.classes), (image, classes), "{name}");
        Family { name: name.into(), model, about, found: fixture(name) }
    }

    pub(crate) fn data(&self, key: &str) -> &[f64] {
        &self.found.get(key).unwrap_or_else(|| panic!("{} has no {key}", self.name)).data
    }

    /// The seed of this run's pictures.
    pub(crate) fn seed(&self, run: &str) -> usize {
        self.about[&format!("{run}.seed")].parse().unwrap()
    }

    /// `batch` pictures of a run; other ordinals are other pictures.
    pub(crate) fn pictures(&self, run: &str, ordinal: usize, batch: usize) -> Vec<f64> {
        formula::picture(self.seed(run), ordinal, batch * self.model.image.iter().product::<usize>())
    }

    /// One-hot rows of the labels 1, 2, …, modulo the classes.
    pub(crate) fn targets(&self, batch: usize) -> Vec<f64> {
        let labels: Vec<usize> = (1..=batch).map(|label| label % self.model.classes).collect();
        one_hot(&labels, self.model.classes).into_iter().map(f64::from).collect()
    }

    pub(crate) fn weights(&self, parameters: &[Parameter]) -> Vec<(Var, Vec<f64>)> {
        let gain = self.about["gain"].parse().unwrap();
        let value = |(i, p): (usize, &Parameter)| {
            (p.stored, formula::weight(i, &p.declaration.name, &p.declaration.shape, gain))
        };
        parameters.iter().enumerate().map(value).collect()
    }

    /// The observed gradient, tensor by tensor as long as the trial's, given the table of its sketches.
    pub(crate) fn observed(&self, parameters: &[Parameter], table: &str) -> Vec<Vec<f64>> {
        let norms = self.data(table).chunks(1 + formula::SIGN_VECTORS).map(|row| row[0]);
        let trainable = parameters.iter().filter(|p| p.declaration.trainable);
        let tensor = |(i, (norm, p)): (usize, (f64, &Parameter))| {
            formula::observed(i, norm, p.declaration.shape.iter().product())
        };
        norms.zip(trainable).enumerate().map(tensor).collect()
    }
}

/// The network of a file of `make_graphs.py`.
pub(crate) fn graph_model(file: &str) -> Model {
    let path = fixture_path(&format!("graphs/{file}")).with_extension("");
    let graph = Arc::new(Graph::read(&path).unwrap_or_else(|error| panic!("{error}")));
    let request = Request { image: Some(graph.image), graph: Some(graph), ..Request::named(file) };
    request.model(0).unwrap_or_else(|error| panic!("{error}"))
}

/// As in the fixtures' keys.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Eval => "eval",
        Mode::Train => "train",
    }
}
