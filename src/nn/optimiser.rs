//! The rules by which gradients move parameters, as PyTorch's `torch.optim` has them, on a tape: for training a
//! victim, and for a client's local training, through which an attack differentiates.

use crate::tape::{Tape, Var};

/// PyTorch's defaults of `Adam`, `AdamW` and `RMSprop`.
pub const BETAS: [f64; 2] = [0.9, 0.999];
/// Share of the old in RMSprop's running mean of g².
pub const ALPHA: f64 = 0.99;
/// What PyTorch adds to the root of a mean of g².
pub const EPSILON: f64 = 1e-8;

/// Added under no root, but the least that one is taken of: √v has no derivative at v = 0, where a dead unit's
/// gradient is. Its root is far below every ε, so that a step is the same.
const LEAST_SQUARE: f64 = 1e-37;

/// m ← μm + g; the direction is m, or with Nesterov's momentum g + μm. Returns the direction and the new m.
pub fn sgd(tape: &mut Tape, gradient: Var, memory: Var, momentum: f64, nesterov: bool) -> (Var, Var) {
    let kept = tape.mul_scalar(memory, momentum);
    let next = tape.add(kept, gradient);
    if !nesterov {
        return (next, next);
    }
    let ahead = tape.mul_scalar(next, momentum);
    (tape.add(gradient, ahead), next)
}

/// What Adam (Kingma 2015) needs beside the gradient.
pub struct Adam {
    /// β₁ and β₂: shares of the old in the running means of g and g².
    pub betas: [f64; 2],
    /// Added to √v̂, > 0.
    pub epsilon: f64,
    /// 1 − β₁ᵗ and 1 − β₂ᵗ.
    pub corrections: [Var; 2],
}

/// m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²; the direction is m̂/(√v̂ + ε). Returns it, and the new m and v.
///
/// In its first step the direction is g/(|g| + ε), close to a sign: its derivative is ε/(|g| + ε)².
pub fn adam(tape: &mut Tape, gradient: Var, memories: [Var; 2], constants: &Adam) -> (Var, [Var; 2]) {
    let square = tape.mul(gradient, gradient);
    let [beta1, beta2] = constants.betas;
    let next = [average(tape, gradient, memories[0], beta1), average(tape, square, memories[1], beta2)];
    let m = tape.div(next[0], constants.corrections[0]);
    let v = tape.div(next[1], constants.corrections[1]);
    (over_root(tape, m, v, constants.epsilon), next)
}

/// v ← αv + (1−α)g²; the direction is g/(√v + ε). Returns it and the new v.
pub fn rms_prop(tape: &mut Tape, gradient: Var, memory: Var, alpha: f64, epsilon: f64) -> (Var, Var) {
    let square = tape.mul(gradient, gradient);
    let next = average(tape, square, memory, alpha);
    (over_root(tape, gradient, next, epsilon), next)
}

fn average(tape: &mut Tape, seen: Var, old: Var, beta: f64) -> Var {
    let kept = tape.mul_scalar(old, beta);
    let seen = tape.mul_scalar(seen, 1.0 - beta);
    tape.add(kept, seen)
}

fn over_root(tape: &mut Tape, direction: Var, squares: Var, epsilon: f64) -> Var {
    let least = tape.scalar(LEAST_SQUARE);
    let squares = tape.max(squares, least);
    let root = tape.sqrt(squares);
    let root = tape.add_scalar(root, epsilon);
    tape.div(direction, root)
}
