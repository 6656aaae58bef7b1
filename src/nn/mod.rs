//! Networks as tape composites: layers, losses and the victims' architectures.

pub mod architecture;
mod convnet;
mod layers;
mod lenet_zhu;
pub mod loss;

use crate::{
    random,
    tape::{Tape, Var},
};
pub use architecture::{Architecture, ArchitectureError};
use rand::Rng;

/// How a parameter starts when no file gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// U(−bound, bound)
    Uniform(f32),
    Constant(f32),
}

impl Init {
    /// PyTorch's default for linear and convolution layers: U(−1/√fan_in, 1/√fan_in), weights and biases.
    pub fn fan_in(fan_in: usize) -> Init {
        Init::Uniform(1.0 / (fan_in as f32).sqrt())
    }

    fn draw(self, generator: &mut impl Rng, len: usize) -> Vec<f32> {
        match self {
            Init::Uniform(bound) => random::uniform(generator, bound, len),
            Init::Constant(value) => vec![value; len],
        }
    }
}

/// A named tensor of a network, as its definition declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// PyTorch `state_dict` name.
    pub name: String,
    /// Without the trial axis.
    pub shape: Vec<usize>,
    pub init: Init,
    /// False for buffers such as running statistics, which have no gradient.
    pub trainable: bool,
}

/// A declared tensor on a tape.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub declaration: Declaration,
    /// The input `(1, …)` that the host fills: one copy for all trials.
    pub stored: Var,
    /// The same, seen by every trial `(T, …)`: differentiate by this one to get each trial's gradient.
    pub value: Var,
}

/// A network under construction on a tape: layers declare their parameters as they are used, so a
/// network is written down once, as its forward pass.
pub struct Network<'t> {
    pub tape: &'t mut Tape,
    /// `T`
    pub trials: usize,
    /// In `state_dict` order.
    pub parameters: Vec<Parameter>,
}

impl<'t> Network<'t> {
    pub fn new(tape: &'t mut Tape, trials: usize) -> Self {
        Network { tape, trials, parameters: vec![] }
    }

    /// Declares a parameter with a gradient; returns it as `(T, …shape)`.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.declare(name, shape, init, true)
    }

    /// Declares a buffer without a gradient; returns it as `(T, …shape)`.
    pub fn buffer(&mut self, name: &str, shape: &[usize], init: Init) -> Var {
        self.declare(name, shape, init, false)
    }

    fn declare(&mut self, name: &str, shape: &[usize], init: Init, trainable: bool) -> Var {
        let stored = self.tape.input(&[&[1], shape].concat());
        let value = self.tape.broadcast_to(stored, &[&[self.trials], shape].concat());
        let declaration = Declaration { name: name.into(), shape: shape.to_vec(), init, trainable };
        self.parameters.push(Parameter { declaration, stored, value });
        value
    }

    /// The tensors a gradient has entries for, in order.
    pub fn trainable(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|p| p.declaration.trainable)
    }
}

/// Initial values of all declared tensors, in order.
pub fn initialise(declarations: &[Declaration], seed: u64) -> Vec<Vec<f32>> {
    let mut generator = random::generator(seed, "weights");
    declarations.iter().map(|d| d.init.draw(&mut generator, d.shape.iter().product())).collect()
}
