//! How gradients move parameters.

use serde::{Deserialize, Serialize};

use crate::{
    spelling::choices,
    tape::{Tape, Var},
};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Optimiser {
    /// PyTorch's `SGD`; weight decay is part of the gradient.
    Sgd { momentum: f64, nesterov: bool },
    /// PyTorch's `AdamW` (Loshchilov 2019); weight decay is no part of the gradient.
    AdamW { beta1: f64, beta2: f64, epsilon: f64 },
}

choices! {
    /// An optimiser without its numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum OptimiserName {
        /// SGD with momentum
        Sgd = "sgd",
        /// AdamW, which wants a learning rate near 0.001
        AdamW = "adamw",
    }
}

impl Default for Optimiser {
    fn default() -> Self {
        Optimiser::Sgd { momentum: 0.9, nesterov: false }
    }
}

/// A parameter, its gradient, and what an optimiser remembers of it. All of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub value: Var,
    pub gradient: Var,
    /// λ of the weight decay.
    pub decay: f64,
}

/// What changes from step to step and is the same for all parameters, `(1)` each.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    pub rate: Var,
    /// 1 − β₁ᵗ and 1 − β₂ᵗ, for AdamW.
    pub corrections: Option<[Var; 2]>,
}

impl Inputs {
    pub fn new(tape: &mut Tape, optimiser: Optimiser) -> Inputs {
        let rate = tape.input(&[1]);
        let adam = matches!(optimiser, Optimiser::AdamW { .. });
        Inputs { rate, corrections: adam.then(|| [tape.input(&[1]), tape.input(&[1])]) }
    }
}

impl Optimiser {
    /// Tensors as large as the parameter that are remembered of each: momenta, then squares.
    pub fn memories(self) -> usize {
        match self {
            Optimiser::Sgd { .. } => 1,
            Optimiser::AdamW { .. } => 2,
        }
    }

    /// What [`Inputs::corrections`] are in step `step`, counted from 0.
    pub fn corrections(self, step: usize) -> Option<[f64; 2]> {
        let Optimiser::AdamW { beta1, beta2, .. } = self else { return None };
        Some([beta1, beta2].map(|beta| 1.0 - beta.powi(step as i32 + 1)))
    }

    /// Each old tensor with its new value: the parameter, then its memories.
    pub fn updates(
        self,
        tape: &mut Tape,
        parameter: Parameter,
        memories: &[Var],
        inputs: Inputs,
    ) -> Vec<(Var, Var)> {
        let ones = vec![1; tape.shape(parameter.value).len()];
        let rate = tape.reshape(inputs.rate, &ones);
        match self {
            Optimiser::Sgd { momentum, nesterov } => {
                sgd(tape, parameter, memories[0], rate, momentum, nesterov)
            }
            Optimiser::AdamW { beta1, beta2, epsilon } => {
                let corrections = inputs.corrections.expect("AdamW has them");
                let corrections = corrections.map(|c| tape.reshape(c, &ones));
                let constants = Adam { beta1, beta2, epsilon, rate, corrections };
                adam_w(tape, parameter, [memories[0], memories[1]], constants)
            }
        }
    }
}

/// m ← μm + (g + λθ), θ ← θ − η·m, or with Nesterov's momentum θ ← θ − η·(g + λθ + μm).
fn sgd(
    tape: &mut Tape,
    Parameter { value, gradient, decay }: Parameter,
    memory: Var,
    rate: Var,
    momentum: f64,
    nesterov: bool,
) -> Vec<(Var, Var)> {
    let pull = tape.mul_scalar(value, decay);
    let force = tape.add(gradient, pull);
    let kept = tape.mul_scalar(memory, momentum);
    let next = tape.add(kept, force);
    let direction = if nesterov {
        let ahead = tape.mul_scalar(next, momentum);
        tape.add(force, ahead)
    } else {
        next
    };
    let change = tape.mul(direction, rate);
    vec![(value, tape.sub(value, change)), (memory, next)]
}

struct Adam {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    rate: Var,
    corrections: [Var; 2],
}

/// m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − η·(λθ + m̂/(√v̂ + ε)).
fn adam_w(
    t: &mut Tape,
    Parameter { value, gradient, decay }: Parameter,
    memories: [Var; 2],
    constants: Adam,
) -> Vec<(Var, Var)> {
    let square = t.mul(gradient, gradient);
    let new = [(gradient, memories[0], constants.beta1), (square, memories[1], constants.beta2)];
    let [momentum, squares] = new.map(|(seen, old, beta)| {
        let kept = t.mul_scalar(old, beta);
        let seen = t.mul_scalar(seen, 1.0 - beta);
        t.add(kept, seen)
    });
    let [m, v] = [(momentum, 0), (squares, 1)].map(|(moment, i)| t.div(moment, constants.corrections[i]));
    let root = t.sqrt(v);
    let root = t.add_scalar(root, constants.epsilon);
    let direction = t.div(m, root);
    let pull = t.mul_scalar(value, decay);
    let direction = t.add(direction, pull);
    let change = t.mul(direction, constants.rate);
    vec![(value, t.sub(value, change)), (memories[0], momentum), (memories[1], squares)]
}
