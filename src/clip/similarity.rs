//! How close two vectors are, on a tape.

use crate::tape::{Tape, Var};

/// Cosine of the angle between rows, `a, b (B,E) → (B)`, of any lengths above 0.
pub fn cosine(tape: &mut Tape, a: Var, b: Var) -> Var {
    let rows = tape.shape(a)[0];
    let mut sums = [(a, b), (a, a), (b, b)].map(|(x, y)| {
        let product = tape.mul(x, y);
        let sum = tape.sum(product, &[1]);
        tape.reshape(sum, &[rows])
    });
    let norms = tape.mul(sums[1], sums[2]);
    sums[1] = tape.rsqrt(norms);
    tape.mul(sums[0], sums[1])
}
