//! Matching an update without simulating its training (SME, Zhu 2023): one gradient at a point between the server's
//! weights and the client's, w_α = w₀ + α·Δ, over all of the client's pictures at once. Order, optimiser and number of
//! steps need not be known; α is learned with the pictures.

use super::unknown::{Bounds, Variable};
use crate::{
    federated::Protocol,
    nn::{Mode, Model, Parameter, Statistics},
    tape::{Tape, Var},
};

/// Where α starts.
pub const START: f32 = 0.5;

/// α's learning rate, in shares of the pictures' (Zhu 2023: 1e-3 beside 1).
const RATE: f64 = 1e-3;

/// What a client's training is taken to come to.
pub struct Surrogate {
    /// The victim's, one copy for all trials that the host writes.
    pub parameters: Vec<Parameter>,
    /// ∇L(x; w_α), `(T,…)` each.
    pub gradient: Vec<Var>,
    /// What every batch norm sees of all the pictures.
    pub statistics: Vec<Statistics>,
}

/// α, `(1)` of each trial, in [0, 1].
pub fn alpha() -> Variable {
    let bounds = Bounds::Range { shape: vec![1], low: vec![0.0], high: vec![1.0] };
    Variable { rate: RATE, bounds, plain: true, ..Variable::free(&[1]) }
}

/// Of pictures `x (T,B,C,H,W)` with targets `(T,B,K)` and the observed gradient g* `(T|1,…)`, of which Δ is a multiple;
/// `alpha (T,1)`.
pub fn surrogate(
    tape: &mut Tape,
    model: &Model,
    protocol: &Protocol,
    [x, targets]: [Var; 2],
    observed: &[Var],
    alpha: Var,
) -> Surrogate {
    let [trials, pictures] = [tape.shape(x)[0], tape.shape(x)[1]];
    let parameters = model.apply(tape, x, Mode::Eval).parameters;
    let scale = protocol.scale(pictures);
    let mut deltas = observed.iter();
    let values: Vec<Var> = parameters
        .iter()
        .map(|p| match p.declaration.trainable {
            false => p.value,
            true => {
                let delta = tape.mul_scalar(*deltas.next().expect("one a parameter"), scale);
                let rank = tape.shape(delta).len();
                let share = tape.reshape(alpha, &[&[trials], vec![1; rank - 1].as_slice()].concat());
                let moved = tape.mul(delta, share);
                tape.add(p.value, moved)
            }
        })
        .collect();
    let pass = model.apply_with(tape, x, protocol.mode, &values);
    let loss = protocol.loss.of(tape, pass.logits, targets);
    let pairs = parameters.iter().zip(&values);
    let trainable: Vec<Var> = pairs.filter(|(p, _)| p.declaration.trainable).map(|(_, &v)| v).collect();
    let gradient = tape.grad(loss, &trainable);
    Surrogate { parameters, gradient, statistics: pass.statistics }
}
