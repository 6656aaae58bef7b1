//! A multilayer perceptron: PyTorch's `Sequential(Flatten(), Linear, ReLU, …, Linear)`, so that its linear
//! layers are `1`, `3`, `5`, …

use super::{
    Architecture, Network,
    options::{ACTIVATION, HIDDEN},
};
use crate::tape::Var;

pub(crate) struct Mlp {
    pub hidden: Vec<usize>,
}

impl Architecture for Mlp {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let mut features = net.flatten(x);
        for (i, &width) in self.hidden.iter().enumerate() {
            features = net.linear(&(2 * i + 1).to_string(), features, width, None);
            features = net.activate(features);
        }
        net.linear(&(2 * self.hidden.len() + 1).to_string(), features, classes, None)
    }

    fn options(&self) -> &'static [&'static str] {
        &[HIDDEN, ACTIVATION]
    }
}
