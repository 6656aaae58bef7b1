//! Initial values of parameters that no file gives.

use rand::Rng;

use super::Declaration;
use crate::random;

/// How a parameter starts when no file gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// U(−bound, bound)
    Uniform(f32),
    /// N(0, std²)
    Normal(f32),
    /// This value everywhere.
    Constant(f32),
}

impl Init {
    /// PyTorch's default for linear and convolution layers: U(−1/√fan_in, 1/√fan_in), weights and biases.
    pub fn fan_in(fan_in: usize) -> Init {
        Init::Uniform(1.0 / (fan_in as f32).sqrt())
    }

    /// PyTorch's `kaiming_normal_` for ReLU (He 2015): N(0, 2/fan).
    pub fn kaiming_normal(fan: usize) -> Init {
        Init::Normal((2.0 / fan as f32).sqrt())
    }

    /// Whether it can be drawn: finite numbers, and no spread below 0.
    pub fn is_finite(self) -> bool {
        match self {
            Init::Uniform(spread) | Init::Normal(spread) => spread.is_finite() && spread >= 0.0,
            Init::Constant(value) => value.is_finite(),
        }
    }

    fn draw(self, generator: &mut impl Rng, len: usize) -> Vec<f32> {
        match self {
            Init::Uniform(bound) => random::uniform(generator, bound, len),
            Init::Normal(std) => random::normal(generator, len).into_iter().map(|v| v * std).collect(),
            Init::Constant(value) => vec![value; len],
        }
    }
}

/// Initial values of all declared tensors, in order.
pub fn initialise(declarations: &[Declaration], seed: u64) -> Vec<Vec<f32>> {
    drawn(declarations, &mut random::generator(seed, "weights"))
}

/// The same from a generator of numbers for another purpose than a victim's weights.
pub fn drawn(declarations: &[Declaration], generator: &mut impl Rng) -> Vec<Vec<f32>> {
    declarations.iter().map(|d| d.init.draw(generator, d.shape.iter().product())).collect()
}
