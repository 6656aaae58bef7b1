//! The optimiser of a client's local training, as `--local-optimiser` writes it.

use std::{fmt, str::FromStr};

use crate::{
    nn::optimiser::{self as rule, ALPHA, BETAS, EPSILON},
    spelling::{Form, Spelled, as_text, unknown},
    tape::{Tape, Var},
};

/// One of PyTorch's `torch.optim`, with its defaults where nothing else is said. ε may be given, because through
/// PyTorch's 1e-8 a first step says next to nothing of the pictures: its direction g/(|g| + ε) is a sign.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LocalOptimiser {
    /// w − η·g
    #[default]
    Sgd,
    /// SGD with a velocity v ← μ·v + g, and this μ.
    Momentum(f64),
    /// SGD with Nesterov's momentum μ.
    Nesterov(f64),
    /// Adam with weight decay in the gradient.
    Adam {
        /// Added to √v̂, > 0.
        epsilon: f64,
    },
    /// Adam with weight decay beside the gradient (Loshchilov 2019).
    AdamW {
        /// Added to √v̂, > 0.
        epsilon: f64,
    },
    /// g divided by the root of a running mean of g².
    RmsProp {
        /// Added to that root, > 0.
        epsilon: f64,
    },
}

impl Spelled for LocalOptimiser {
    const ABOUT: &'static str = "The optimiser of local training, as PyTorch has it.";
    const FORMS: &'static [Form] = &[
        Form { text: "sgd", meaning: "Plain gradient descent" },
        Form { text: "momentum:M", meaning: "SGD with momentum M" },
        Form { text: "nesterov:M", meaning: "SGD with Nesterov's momentum M" },
        Form {
            text: "adam[:EPSILON]",
            meaning: "Adam (Kingma 2015), weight decay in the gradient; 1e-8 if not given",
        },
        Form {
            text: "adamw[:EPSILON]",
            meaning: "AdamW (Loshchilov 2019), weight decay beside it; 1e-8 if not given",
        },
        Form { text: "rmsprop[:EPSILON]", meaning: "RMSprop; 1e-8 if not given" },
    ];
}

as_text!(LocalOptimiser);

impl FromStr for LocalOptimiser {
    type Err = String;

    fn from_str(text: &str) -> Result<LocalOptimiser, String> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => {
                (name, Some(value.trim().parse::<f64>().map_err(|_| unknown::<LocalOptimiser>(text))?))
            }
            None => (text, None),
        };
        let epsilon = value.unwrap_or(EPSILON);
        let adaptive = |optimiser: LocalOptimiser| match epsilon.is_finite() && epsilon > 0.0 {
            true => Ok(optimiser),
            false => Err(format!("expected an epsilon above 0, found '{text}'")),
        };
        let momentum = |make: fn(f64) -> LocalOptimiser| match value {
            Some(m) if (0.0..1.0).contains(&m) => Ok(make(m)),
            Some(_) => Err(format!("expected a momentum from 0 to below 1, found '{text}'")),
            None => Err(unknown::<LocalOptimiser>(text)),
        };
        match (name, value) {
            ("sgd", None) => Ok(LocalOptimiser::Sgd),
            ("momentum", _) => momentum(LocalOptimiser::Momentum),
            ("nesterov", _) => momentum(LocalOptimiser::Nesterov),
            ("adam", _) => adaptive(LocalOptimiser::Adam { epsilon }),
            ("adamw", _) => adaptive(LocalOptimiser::AdamW { epsilon }),
            ("rmsprop", _) => adaptive(LocalOptimiser::RmsProp { epsilon }),
            _ => Err(unknown::<LocalOptimiser>(text)),
        }
    }
}

impl fmt::Display for LocalOptimiser {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (name, epsilon) = match self {
            LocalOptimiser::Sgd => return f.write_str("sgd"),
            LocalOptimiser::Momentum(m) => return write!(f, "momentum:{m}"),
            LocalOptimiser::Nesterov(m) => return write!(f, "nesterov:{m}"),
            LocalOptimiser::Adam { epsilon } => ("adam", epsilon),
            LocalOptimiser::AdamW { epsilon } => ("adamw", epsilon),
            LocalOptimiser::RmsProp { epsilon } => ("rmsprop", epsilon),
        };
        match *epsilon == EPSILON {
            true => f.write_str(name),
            false => write!(f, "{name}:{epsilon:e}"),
        }
    }
}

impl LocalOptimiser {
    /// Whether a step keeps the gradient's magnitudes, so that a sum of steps is a weighted sum of gradients.
    pub fn is_linear(self) -> bool {
        matches!(self, LocalOptimiser::Sgd | LocalOptimiser::Momentum(_) | LocalOptimiser::Nesterov(_))
    }

    /// What the directions of steps with gradients of these lengths, all of one direction, sum to. An optimiser that
    /// divides the lengths away goes 1 in each step.
    pub fn gain(self, lengths: impl IntoIterator<Item = f64>) -> f64 {
        let mut memory = 0.0;
        let direction = |length: f64| match self {
            LocalOptimiser::Sgd => length,
            LocalOptimiser::Momentum(m) => {
                memory = m * memory + length;
                memory
            }
            LocalOptimiser::Nesterov(m) => {
                memory = m * memory + length;
                length + m * memory
            }
            _ => 1.0,
        };
        lengths.into_iter().map(direction).sum()
    }
}

/// What an optimiser remembers of every parameter from step to step, on a tape.
pub(crate) struct Memory {
    optimiser: LocalOptimiser,
    /// λ of the weight decay.
    decay: f64,
    steps: i32,
    /// Momenta and squares; before the first step, a 0 for all.
    of_each: Vec<[Var; 2]>,
}

impl Memory {
    pub(crate) fn new(tape: &mut Tape, optimiser: LocalOptimiser, decay: f64, parameters: usize) -> Memory {
        let zero = tape.scalar(0.0);
        Memory { optimiser, decay, steps: 0, of_each: vec![[zero; 2]; parameters] }
    }

    /// The next step's directions, one a parameter: θ ← θ − η·direction.
    pub(crate) fn directions(&mut self, tape: &mut Tape, values: &[Var], gradient: &[Var]) -> Vec<Var> {
        self.steps += 1;
        let of = |((&value, &gradient), memory): ((&Var, &Var), &mut [Var; 2])| {
            let decoupled = matches!(self.optimiser, LocalOptimiser::AdamW { .. });
            let force = if decoupled { gradient } else { pulled(tape, gradient, value, self.decay) };
            let direction = step(tape, self.optimiser, self.steps, force, memory);
            if decoupled { pulled(tape, direction, value, self.decay) } else { direction }
        };
        values.iter().zip(gradient).zip(&mut self.of_each).map(of).collect()
    }
}

/// g + λθ
fn pulled(tape: &mut Tape, gradient: Var, value: Var, decay: f64) -> Var {
    if decay == 0.0 {
        return gradient;
    }
    let pull = tape.mul_scalar(value, decay);
    tape.add(gradient, pull)
}

fn step(tape: &mut Tape, optimiser: LocalOptimiser, number: i32, force: Var, memory: &mut [Var; 2]) -> Var {
    match optimiser {
        LocalOptimiser::Sgd => force,
        LocalOptimiser::Momentum(m) | LocalOptimiser::Nesterov(m) => {
            let nesterov = matches!(optimiser, LocalOptimiser::Nesterov(_));
            let (direction, next) = rule::sgd(tape, force, memory[0], m, nesterov);
            memory[0] = next;
            direction
        }
        LocalOptimiser::Adam { epsilon } | LocalOptimiser::AdamW { epsilon } => {
            let corrections = BETAS.map(|beta| tape.scalar(1.0 - beta.powi(number)));
            let (direction, next) =
                rule::adam(tape, force, *memory, &rule::Adam { betas: BETAS, epsilon, corrections });
            *memory = next;
            direction
        }
        LocalOptimiser::RmsProp { epsilon } => {
            let (direction, next) = rule::rms_prop(tape, force, memory[0], ALPHA, epsilon);
            memory[0] = next;
            direction
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["sgd", "momentum:0.9", "nesterov:0.5", "adam", "adamw", "rmsprop", "adam:1e-4"] {
            let optimiser: LocalOptimiser = text.parse().unwrap();
            assert_eq!(optimiser.to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "sgd:1", "momentum", "momentum:1", "momentum:-0.1", "adam:0", "adam:x", "lion"] {
            let error = text.parse::<LocalOptimiser>().unwrap_err();
            assert!(error.contains("expected") && error.contains(text), "{error}");
        }
    }

    #[test]
    fn momentum_goes_further_than_its_gradients() {
        let gain = |text: &str| text.parse::<LocalOptimiser>().unwrap().gain([1.0; 3]);
        assert_eq!(gain("sgd"), 3.0);
        assert!((gain("momentum:0.9") - (1.0 + 1.9 + 2.71)).abs() < 1e-12);
        assert!((gain("nesterov:0.9") - (1.9 + 2.71 + 3.439)).abs() < 1e-12);
        assert_eq!(gain("adam"), 3.0);
    }
}
