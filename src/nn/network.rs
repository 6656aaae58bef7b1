//! A network under construction on a tape.

use super::{
    Init,
    options::{Activation, Norm},
};
use crate::{
    spelling::choices,
    tape::{Tape, Var},
};

choices! {
    /// Which statistics batch norm uses.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Mode {
        /// Running statistics, constants of the model
        Eval = "eval",
        /// Those of the batch; derivatives go through them
        Train = "train",
    }
}

#[expect(clippy::derivable_impls, reason = "`choices!` takes no marks on its values")]
impl Default for Mode {
    fn default() -> Mode {
        Mode::Eval
    }
}

/// A named tensor of a network, as its definition declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// PyTorch `state_dict` name.
    pub name: String,
    /// Without the trial axis.
    pub shape: Vec<usize>,
    /// How it starts where no file gives it.
    pub init: Init,
    /// False for buffers such as running statistics, which have no gradient.
    pub trainable: bool,
}

/// A declared tensor on a tape.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name, its shape and how it starts.
    pub declaration: Declaration,
    /// The input `(1, …)` that the host fills: one copy for all trials.
    pub stored: Var,
    /// The same, seen by every trial `(T, …)`: differentiate by this one to get each trial's gradient.
    pub value: Var,
}

/// What one batch norm layer saw.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Of the layer, e.g. `layer1.0.bn1`.
    pub name: String,
    /// Of the batch, `(T,C)`; the variance is the biased one that the layer divides by.
    pub mean: Var,
    /// Of the batch, `(T,C)`, biased.
    pub variance: Var,
    /// The model's, `(T,C)`.
    pub running_mean: Var,
    /// The model's, `(T,C)`.
    pub running_variance: Var,
    /// Values of each channel that the batch's statistics are over.
    pub count: usize,
    /// Share of the batch's statistics in the running ones that training leaves.
    pub momentum: f64,
}

/// A linear layer as a forward pass used it.
#[derive(Clone, Debug)]
pub struct LinearLayer {
    /// Of the layer, e.g. `classifier.0`.
    pub name: String,
    /// `(T,B,n)`
    pub input: Var,
    /// `(T,B,m)`
    pub output: Var,
    /// What its output went straight into, and the result `(T,B,m)`.
    pub activated: Option<(Activation, Var)>,
}

/// Layers declare their parameters as they are used, so a network is written down once, as its forward
/// pass. Applied again with values of its own, the same pass runs with those.
pub struct Network<'t> {
    /// Where the operations go.
    pub tape: &'t mut Tape,
    /// `T`
    pub trials: usize,
    /// Which statistics batch norm takes.
    pub mode: Mode,
    /// What stands between layers.
    pub activation: Activation,
    /// What stands where the architecture normalises.
    pub norm: Norm,
    /// In `state_dict` order.
    pub parameters: Vec<Parameter>,
    /// Of every batch norm, in order.
    pub statistics: Vec<Statistics>,
    /// In the order of the pass.
    pub linear: Vec<LinearLayer>,
    /// Values `(T, …)` to take in place of new inputs, in `state_dict` order.
    pub(super) given: Option<Vec<Var>>,
}

impl Network<'_> {
    /// Declares a parameter with a gradient; returns it as `(T, …shape)`.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.declare(name, shape, init, true)
    }

    /// Declares a buffer without a gradient; returns it as `(T, …shape)`.
    pub fn buffer(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.declare(name, shape, init, false)
    }

    fn declare(&mut self, name: &str, shape: &[usize], init: Init, trainable: bool) -> Var {
        let full = [&[self.trials], shape].concat();
        let (stored, value) = match &self.given {
            Some(given) => {
                let value = given[self.parameters.len()];
                assert_eq!(self.tape.shape(value), full, "value given for {name}");
                (value, value)
            }
            None => {
                let stored = self.tape.input(&[&[1], shape].concat());
                (stored, self.tape.broadcast_to(stored, &full))
            }
        };
        let declaration = Declaration { name: name.into(), shape: shape.to_vec(), init, trainable };
        self.parameters.push(Parameter { declaration, stored, value });
        value
    }

    /// The model's activation function.
    pub fn activate(&mut self, x: Var) -> Var {
        let t = &mut *self.tape;
        let y = match self.activation {
            Activation::Relu => t.relu(x),
            Activation::Sigmoid => t.sigmoid(x),
            Activation::Tanh => t.tanh(x),
            Activation::Silu => {
                let gate = t.sigmoid(x);
                t.mul(x, gate)
            }
            Activation::LeakyRelu => {
                let small = t.mul_scalar(x, 0.01);
                t.max(x, small)
            }
        };
        if let Some(layer) = self.linear.last_mut().filter(|layer| layer.output == x) {
            layer.activated = Some((self.activation, y));
        }
        y
    }

    /// `(T,C) → (T,1,C,1,1)`, to broadcast over activations.
    pub(super) fn per_channel(&mut self, v: Var) -> Var {
        let channels = self.tape.shape(v)[1];
        self.tape.reshape(v, &[self.trials, 1, channels, 1, 1])
    }
}
