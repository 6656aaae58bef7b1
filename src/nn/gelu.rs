//! GELU (Hendrycks and Gimpel 2016), and the approximation that CLIP's own weights were trained with.

use std::f64::consts::FRAC_1_SQRT_2;

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
