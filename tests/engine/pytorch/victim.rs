//! A victim and everything that the fixtures know about it.

use std::collections::BTreeMap;

use gia_gpu::{
    nn::{Model, Options, Parameter, loss::one_hot},
    tape::Var,
};

use crate::common::{Reference, fixture};

pub(crate) const CLASSES: usize = 10;
pub(crate) const BATCH: usize = 2;

pub(crate) struct Victim {
    pub name: &'static str,
    pub model: Model,
    pub weights: BTreeMap<String, Reference>,
    pub inputs: BTreeMap<String, Reference>,
    pub grad: BTreeMap<String, Reference>,
    pub matching: BTreeMap<String, Reference>,
}

/// The two victims that there are fixtures for.
pub(crate) fn victims() -> [Victim; 2] {
    [("lenet-zhu", "lenet_zhu"), ("convnet4", "convnet")].map(|(name, file)| Victim {
        name,
        model: Model::new(name, &Options::default(), None, CLASSES).unwrap(),
        weights: fixture(&format!("{file}_weights")),
        inputs: fixture(&format!("{file}_inputs")),
        grad: fixture(&format!("{file}_grad")),
        matching: fixture(&format!("{file}_match")),
    })
}

impl Victim {
    /// One-hot rows `(B,K)` of the hard labels.
    pub(crate) fn hard_labels(&self) -> Vec<f64> {
        let labels: Vec<usize> = self.inputs["labels"].data.iter().map(|&l| l as usize).collect();
        one_hot(&labels, CLASSES).into_iter().map(f64::from).collect()
    }

    /// What to write into each parameter and buffer.
    pub(crate) fn weights(&self, parameters: &[Parameter]) -> Vec<(Var, Vec<f64>)> {
        let value = |p: &Parameter| {
            let found = &self.weights[&p.declaration.name];
            assert_eq!(found.shape, p.declaration.shape, "{}", p.declaration.name);
            (p.stored, found.data.clone())
        };
        parameters.iter().map(value).collect()
    }

    /// The observed gradient g*, in the order of the trainable parameters.
    pub(crate) fn observed(&self, parameters: &[Parameter]) -> Vec<Vec<f64>> {
        let trainable = parameters.iter().filter(|p| p.declaration.trainable);
        trainable.map(|p| self.grad[&format!("grad.{}", p.declaration.name)].data.clone()).collect()
    }
}
