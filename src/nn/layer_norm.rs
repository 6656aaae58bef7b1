//! Layer norm (Ba 2016) over the last axis.

use crate::tape::{Tape, Var};

/// PyTorch's `LayerNorm`: (x − μ)/√(σ² + ε)·γ + β, statistics over the last axis of `x (…,D)`. γ and β
/// broadcast to it.
pub fn layer_norm(tape: &mut Tape, x: Var, gamma: Var, beta: Var, epsilon: f64) -> Var {
    let last = tape.shape(x).len() - 1;
    let mean = tape.mean(x, &[last]);
    let centred = tape.sub(x, mean);
    let square = tape.mul(centred, centred);
    let variance = tape.mean(square, &[last]);
    let variance = tape.add_scalar(variance, epsilon);
    let inverse = tape.rsqrt(variance);
    let normal = tape.mul(centred, inverse);
    let scaled = tape.mul(normal, gamma);
    tape.add(scaled, beta)
}
