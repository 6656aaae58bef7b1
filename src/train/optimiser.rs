//! How gradients move parameters.

use serde::{Deserialize, Serialize};

use crate::{
    device::{DeviceError, Executable},
    nn::optimiser,
    spelling::choices,
    tape::{Tape, Var},
};

/// The rule by which gradients move parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Optimiser {
    /// PyTorch's `SGD`; weight decay is part of the gradient.
    Sgd {
        /// μ in v ← μ·v + g; 0: no velocity.
        momentum: f64,
        /// Whether the velocity is looked ahead (Nesterov).
        nesterov: bool,
    },
    /// PyTorch's `AdamW` (Loshchilov 2019); weight decay is no part of the gradient.
    AdamW {
        /// Share of the old in the running mean of g.
        beta1: f64,
        /// Share of the old in the running mean of g².
        beta2: f64,
        /// Is added to √v̂.
        epsilon: f64,
    },
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

    /// Their values in step `step`, counted from 0.
    pub fn write(
        self,
        executable: &mut dyn Executable,
        optimiser: Optimiser,
        rate: f64,
        step: usize,
    ) -> Result<(), DeviceError> {
        executable.write(self.rate, &[rate as f32])?;
        let pairs =
            self.corrections.into_iter().flatten().zip(optimiser.corrections(step).into_iter().flatten());
        for (var, value) in pairs {
            executable.write(var, &[value as f32])?;
        }
        Ok(())
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

    /// What `Inputs::corrections` are in step `step`, counted from 0.
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
                let pull = tape.mul_scalar(parameter.value, parameter.decay);
                let force = tape.add(parameter.gradient, pull);
                let (direction, next) = optimiser::sgd(tape, force, memories[0], momentum, nesterov);
                vec![(parameter.value, moved(tape, parameter.value, direction, rate)), (memories[0], next)]
            }
            Optimiser::AdamW { beta1, beta2, epsilon } => {
                let corrections = inputs.corrections.expect("AdamW has them");
                let corrections = corrections.map(|c| tape.reshape(c, &ones));
                let constants = optimiser::Adam { betas: [beta1, beta2], epsilon, corrections };
                let memories = [memories[0], memories[1]];
                let (direction, [m, v]) = optimiser::adam(tape, parameter.gradient, memories, &constants);
                let pull = tape.mul_scalar(parameter.value, parameter.decay);
                let direction = tape.add(direction, pull);
                let value = moved(tape, parameter.value, direction, rate);
                vec![(parameter.value, value), (memories[0], m), (memories[1], v)]
            }
        }
    }
}

/// θ − η·direction
fn moved(tape: &mut Tape, value: Var, direction: Var, rate: Var) -> Var {
    let change = tape.mul(direction, rate);
    tape.sub(value, change)
}
