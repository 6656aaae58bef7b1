//! A graph with named parameters, from the registry or from elsewhere, with every choice made: what client and
//! eavesdropper both know of the network.

use std::sync::Arc;

use super::{
    Architecture, ArchitectureError, Declaration, LastLayer, LinearLayer, Mode, Network, Options, Parameter,
    PatchEmbedding, Statistics,
    architecture::{Depth, architecture},
    contrastive::Contrastive,
    options::Norm,
};
use crate::tape::{Tape, Var};

/// Largest side of an image: beyond it is a mistake.
pub const MAX_SIDE: usize = 4096;
const MAX_CHANNELS: usize = 1024;
/// Beyond every public data set.
pub const MAX_CLASSES: usize = 1 << 20;

/// A network with every choice made, without weights.
#[derive(Clone)]
pub struct Model {
    /// What messages and reports call it, e.g. `convnet64`; nothing is decided by it.
    pub name: String,
    /// Choices that do not stand in the name.
    pub options: Options,
    /// `[C, H, W]`
    pub image: [usize; 3],
    /// `K`
    pub classes: usize,
    architecture: Arc<dyn Architecture>,
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
        if !(1..=MAX_CLASSES).contains(&width) {
            let reason = format!("expected 1 to {MAX_CLASSES} outputs, found {width}");
            return Err(ArchitectureError::Invalid { name: name.into(), reason });
        }
        let head = Contrastive { tower: architecture(name, options)?, width };
        Self::of(Box::new(head), name, options, image, names)
    }

    /// Any network, whether the registry knows it or not: what reads networks from files makes them so.
    ///
    /// # Errors
    /// An option that the architecture does not take, an image or a number of classes that it cannot have, and a graph
    /// that no victim can be: two parameters of one name, no last linear layer with a row a class, buffers that are no
    /// batch norm's.
    pub fn of(
        architecture: Box<dyn Architecture>,
        name: &str,
        options: &Options,
        image: Option<[usize; 3]>,
        classes: usize,
    ) -> Result<Model, ArchitectureError> {
        let invalid = |reason: String| Err(ArchitectureError::Invalid { name: name.into(), reason });
        if let Err(reason) = options.check_for(&*architecture) {
            return invalid(reason);
        }
        if !(1..=MAX_CLASSES).contains(&classes) {
            return invalid(format!("expected 1 to {MAX_CLASSES} classes, found {classes}"));
        }
        let image = image.unwrap_or_else(|| architecture.default_image());
        let [c, h, w] = image;
        let smallest = architecture.smallest_side();
        let fits =
            (1..=MAX_CHANNELS).contains(&c) && [h, w].iter().all(|n| (smallest..=MAX_SIDE).contains(n));
        if !fits {
            return invalid(format!(
                "expected images of 1 to {MAX_CHANNELS} channels and sides from {smallest} to {MAX_SIDE}, found \
                 {c}×{h}×{w}"
            ));
        }
        let architecture = architecture.into();
        let model = Model { name: name.into(), options: options.clone(), image, classes, architecture };
        match model.check() {
            Err(reason) => invalid(reason),
            Ok(()) => Ok(model),
        }
    }

    /// Whether the graph can be a victim.
    fn check(&self) -> Result<(), String> {
        let mut tape = Tape::new();
        let [c, h, w] = self.image;
        let x = tape.input(&[1, 1, c, h, w]);
        let (logits, net) = self.trace(&mut tape, x, Mode::Eval, None);
        let (parameters, statistics, features) = (net.parameters, net.statistics.len(), net.linear.last());
        let shape = tape.shape(logits);
        if shape != [1, 1, self.classes] {
            return Err(format!(
                "its logits for one picture are {shape:?}, expected [1, 1, {}]",
                self.classes
            ));
        }
        let declared: Vec<&Declaration> = parameters.iter().map(|p| &p.declaration).collect();
        let mut names: Vec<&str> = declared.iter().map(|d| d.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two of its tensors are called '{}'", pair[0]));
        }
        if let Some(odd) = declared.iter().find(|d| !d.init.is_finite()) {
            return Err(format!("'{}' starts from {:?}, expected finite numbers ≥ 0", odd.name, odd.init));
        }
        let buffers = declared.iter().filter(|d| !d.trainable).count();
        if buffers != 2 * statistics {
            return Err(format!(
                "it has {buffers} buffers and {statistics} batch norms, expected a mean and a variance for each"
            ));
        }
        let last = match self.last_layer() {
            Some(layer) => declared.iter().find(|d| d.trainable && d.name == layer.weight),
            None => declared.iter().rfind(|d| d.trainable && d.shape.len() == 2),
        };
        match (last, features) {
            (Some(last), Some(_)) if last.shape[0] == self.classes => Ok(()),
            (Some(last), Some(_)) => Err(format!(
                "its last linear layer, '{}', has {} outputs, expected {}",
                last.name, last.shape[0], self.classes
            )),
            _ => Err("it does not end in a linear layer".into()),
        }
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
        let (logits, net) = self.trace(tape, x, mode, given);
        let Network { parameters, statistics, linear, .. } = net;
        let features = linear.last().expect("checked when the model was made").input;
        Pass { logits, features, parameters, statistics, linear }
    }

    /// The forward pass: logits, and what was declared on the way.
    fn trace<'t>(
        &self,
        tape: &'t mut Tape,
        x: Var,
        mode: Mode,
        given: Option<Vec<Var>>,
    ) -> (Var, Network<'t>) {
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
        (logits, net)
    }

    /// Where pictures become tokens, if they do.
    pub fn patch_embedding(&self) -> Option<PatchEmbedding> {
        self.architecture.patch_embedding()
    }

    /// Names of the last linear layer's tensors, where they are not the last of the list.
    pub fn last_layer(&self) -> Option<LastLayer> {
        self.architecture.last_layer()
    }

    /// How much of a picture its gradient tells.
    pub fn depth(&self) -> Depth {
        self.architecture.depth()
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
        match self.sketch(batch.max(1)).statistics.iter().find(|s| s.count < 2) {
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
        self.sketch(batch.max(1)).statistics.iter().map(|s| s.count).collect()
    }

    /// Share of a batch's statistics in the running ones, of each batch norm.
    pub fn momenta(&self) -> Vec<f64> {
        self.sketch(1).statistics.iter().map(|s| s.momentum).collect()
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
