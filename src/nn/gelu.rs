//! GELU (Hendrycks and Gimpel 2016), and the approximations that CLIP's and SigLIP's weights were trained with.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

use crate::tape::{Tape, Var};

/// x·Φ(x), with the error function.
pub fn gelu(tape: &mut Tape, x: Var) -> Var {
    let scaled = tape.mul_scalar(x, FRAC_1_SQRT_2);
    let erf = tape.erf(scaled);
    let twice = tape.add_scalar(erf, 1.0);
    let product = tape.mul(x, twice);
    tape.mul_scalar(product, 0.5)
}

/// x·σ(1.702x)
pub fn quick_gelu(tape: &mut Tape, x: Var) -> Var {
    let scaled = tape.mul_scalar(x, 1.702);
    let gate = tape.sigmoid(scaled);
    tape.mul(x, gate)
}

/// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), PyTorch's `GELU(approximate="tanh")`
pub fn gelu_tanh(tape: &mut Tape, x: Var) -> Var {
    let square = tape.mul(x, x);
    let bent = tape.mul_scalar(square, 0.044715);
    let bent = tape.add_scalar(bent, 1.0);
    let inner = tape.mul(x, bent);
    let inner = tape.mul_scalar(inner, FRAC_2_PI.sqrt());
    let tanh = tape.tanh(inner);
    let twice = tape.add_scalar(tanh, 1.0);
    let product = tape.mul(x, twice);
    tape.mul_scalar(product, 0.5)
}
