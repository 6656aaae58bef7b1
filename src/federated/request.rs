//! Which model a victim is, before its weights are known.

use std::sync::Arc;

use crate::nn::{
    ArchitectureError, Model, Options,
    graph::{Graph, GraphNetwork},
};

/// Classes of a victim that is initialised by seed and told nothing else.
pub const DEFAULT_CLASSES: usize = 10;

/// Which model, before its weights are known.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// As in the registry, or what a file's network is called.
    pub name: String,
    /// The network of a file, in place of the registry's of this name.
    pub graph: Option<Arc<Graph>>,
    /// Choices that do not stand in the name.
    pub options: Options,
    /// `[C, H, W]`, where it is not the architecture's own.
    pub image: Option<[usize; 3]>,
    /// `K`, where it is known.
    pub classes: Option<usize>,
}

impl Request {
    /// An architecture with everything as it has it.
    pub fn named(name: &str) -> Request {
        Request { name: name.into(), ..Request::default() }
    }

    /// The model of so many classes; a file's network has its own number.
    ///
    /// # Errors
    /// What [`Model::new`] and [`Model::of`] refuse.
    pub fn model(&self, classes: usize) -> Result<Model, ArchitectureError> {
        match &self.graph {
            None => Model::new(&self.name, &self.options, self.image, classes),
            Some(graph) => {
                let network = Box::new(GraphNetwork(graph.clone()));
                Model::of(network, &self.name, &self.options, self.image, graph.classes)
            }
        }
    }
}
