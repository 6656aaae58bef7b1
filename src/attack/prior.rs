//! What a picture looks like before anything is known about it.

use crate::tape::{Tape, Var};

/// Anisotropic total variation, mean|∂x| + mean|∂y| over batch, channels and pixels: `(T,B,C,H,W) → (T)`.
pub fn total_variation(tape: &mut Tape, x: Var) -> Var {
    let mut total = None;
    for axis in [4, 3] {
        let n = tape.shape(x)[axis];
        let (next, this) = (tape.narrow(x, axis, 1, n - 1), tape.narrow(x, axis, 0, n - 1));
        let difference = tape.sub(next, this);
        let magnitude = tape.abs(difference);
        let trials = tape.shape(x)[0];
        let mean = tape.mean(magnitude, &[1, 2, 3, 4]);
        let mean = tape.reshape(mean, &[trials]);
        total = Some(total.map_or(mean, |t| tape.add(t, mean)));
    }
    total.expect("two axes")
}
