//! An architecture with every choice made: what client and eavesdropper both know of the network.

use super::{
    Architecture, ArchitectureError, Declaration, LinearLayer, Mode, Network, Options, Parameter, Statistics,
    architecture::architecture, contrastive::Contrastive, options::Norm,
};
use crate::tape::{Tape, Var};

/// Largest side of an image: beyond it is a mistake.
const MAX_SIDE: usize = 4096;
const MAX_CHANNELS: usize = 1024;

pub struct Model {
    /// As the user named it, e.g. `convnet64`.
    pub name: String,
    pub options: Options,
    /// `[C, H, W]`
    pub image: [usize; 3],
    /// `K`
    pub classes: usize,
    architecture: Box<dyn Architecture>,
}

/// One forward pass on a tape.
pub struct Pass {
    /// `(T,B,K)`
    pub logits: Var,
    /// What the last linear layer was given, `(T,B,d)`.
    pub features: Var,
    /// In `state_dict` order.
    pub parameters: Vec<Parameter>,
    /// Of every batch norm, in order.
    pub statistics: Vec<Statistics>,
    /// In the order of the pass.
    pub linear: Vec<LinearLayer>,
}

impl Model {
    /// `image`: `[C, H, W]`, where it is not the architecture's own.
    ///
    /// # Errors
    /// What [`architecture`] refuses, and an image that the architecture cannot take.
    pub fn new(
        name: &str,
        options: &Options,
        image: Option<[usize; 3]>,
        classes: usize,
    ) -> Result<Model, ArchitectureError> {
        Self::of(architecture(name, options)?, name, options, image, classes)
    }

    /// A tower of this name with `width` outputs, against a bank of `names` concepts; see [`super::contrastive`].
    pub fn contrastive(
        name: &str,
        options: &Options,
        image: Option<[usize; 3]>,
        width: usize,
        names: usize,
    ) -> Result<Model, ArchitectureError> {
        let head = Contrastive { tower: architecture(name, options)?, width };
        Self::of(Box::new(head), name, options, image, names)
    }

    fn of(
        architecture: Box<dyn Architecture>,
        name: &str,
        options: &Options,
        image: Option<[usize; 3]>,
        classes: usize,
    ) -> Result<Model, ArchitectureError> {
        let image = image.unwrap_or_else(|| architecture.default_image());
        let [c, h, w] = image;
        let smallest = architecture.smallest_side();
        let fits =
            (1..=MAX_CHANNELS).contains(&c) && [h, w].iter().all(|n| (smallest..=MAX_SIDE).contains(n));
        if !fits {
            let reason = format!(
                "expected images of 1 to {MAX_CHANNELS} channels and sides from {smallest} to {MAX_SIDE}, found \
                 {c}×{h}×{w}"
            );
            return Err(ArchitectureError::Invalid { name: name.into(), reason });
        }
        Ok(Model { name: name.into(), options: options.clone(), image, classes, architecture })
    }

    /// The forward pass of `x (T,B,C,H,W)` with new inputs for parameters and buffers.
    pub fn apply(&self, tape: &mut Tape, x: Var, mode: Mode) -> Pass {
        self.pass(tape, x, mode, None)
    }

    /// The same with values `(T,…)` for all of them, in `state_dict` order.
    pub fn apply_with(&self, tape: &mut Tape, x: Var, mode: Mode, values: &[Var]) -> Pass {
        self.pass(tape, x, mode, Some(values.to_vec()))
    }

    fn pass(&self, tape: &mut Tape, x: Var, mode: Mode, given: Option<Vec<Var>>) -> Pass {
        let trials = tape.shape(x)[0];
        let mut net = Network {
            tape,
            trials,
            mode,
            activation: self.options.activation.unwrap_or_else(|| self.architecture.activation()),
            norm: self.options.norm.unwrap_or(Norm::Batch),
            parameters: vec![],
            statistics: vec![],
            linear: vec![],
            given,
        };
        let logits = self.architecture.forward(&mut net, x, self.classes);
        let features = net.linear.last().expect("every architecture ends in a linear layer").input;
        let Network { parameters, statistics, linear, .. } = net;
        Pass { logits, features, parameters, statistics, linear }
    }

    /// All tensors, in `state_dict` order.
    pub fn declarations(&self) -> Vec<Declaration> {
        let pass = self.sketch(1);
        pass.parameters.into_iter().map(|p| p.declaration).collect()
    }

    /// Whether images of every size fit the parameters.
    pub fn any_size(&self) -> bool {
        self.architecture.any_size()
    }

    /// Batch norm in train mode divides by the deviation of a channel's values: it needs two.
    ///
    /// # Errors
    /// The first layer that has one only.
    pub fn check_train(&self, batch: usize) -> Result<(), ArchitectureError> {
        match self.sketch(batch).statistics.iter().find(|s| s.count < 2) {
            Some(layer) => Err(ArchitectureError::Invalid {
                name: self.name.clone(),
                reason: format!(
                    "batch norm '{}' in train mode sees one value a channel (batch of {batch}, images of {:?}): \
                     expected 2 or more",
                    layer.name, self.image
                ),
            }),
            None => Ok(()),
        }
    }

    /// Values of a channel that each batch norm sees for a batch of this size.
    pub fn statistics_counts(&self, batch: usize) -> Vec<usize> {
        self.sketch(batch).statistics.iter().map(|s| s.count).collect()
    }

    fn sketch(&self, batch: usize) -> Pass {
        let mut tape = Tape::new();
        let [c, h, w] = self.image;
        let x = tape.input(&[1, batch, c, h, w]);
        self.apply(&mut tape, x, Mode::Eval)
    }

    /// Name and options, for files, reports and messages.
    pub fn describe(&self) -> String {
        format!("{} {}", self.name, self.options).trim_end().to_string()
    }
}
