//! The l1 ball of what a stage may change (Fang 2023): each picture's features stay near those that they started from.
//!
//! The nearest point of {c + v : ‖v‖₁ ≤ r} to c + v shrinks every |v| by one threshold θ ≥ 0, the root of
//! Σ max(|v| − θ, 0) = r. Sorting finds it (Duchi 2008); so does Newton's method from the left (Michelot 1986), which is
//! exact after finitely many steps and needs sums alone, that every device does well.

use crate::tape::{Tape, Var};

/// Newton steps. A million normal numbers need about ten; each step leaves out what is below the new threshold.
const STEPS: usize = 24;
/// Keeps a division by no elements, or by a length of 0, finite.
const LEAST: f64 = 1e-30;

/// `x (T,B,…)` with each picture's part moved to the nearest point of ‖x − c‖₁ ≤ share·‖c‖₁; `centre` `(T,B,…)` is c.
pub fn project(tape: &mut Tape, x: Var, centre: Var, share: f64) -> Var {
    let axes: Vec<usize> = (2..tape.shape(x).len()).collect();
    let length = tape.abs(centre);
    let length = tape.sum(length, &axes);
    let radius = tape.mul_scalar(length, share);
    let change = tape.sub(x, centre);
    let shrunk = shrink(tape, change, radius, &axes);
    tape.add(centre, shrunk)
}

/// The nearest `v` with ‖v‖₁ ≤ r along these axes; `radius` has size 1 there.
pub fn shrink(tape: &mut Tape, v: Var, radius: Var, axes: &[usize]) -> Var {
    let size = tape.abs(v);
    let zero = tape.scalar(0.0);
    let mut threshold = zero;
    for _ in 0..STEPS {
        let above = tape.sub(size, threshold);
        let over = tape.max(above, zero);
        let marks = tape.step(above);
        let [sum, count] = [over, marks].map(|each| tape.sum(each, axes));
        let excess = tape.sub(sum, radius);
        let excess = tape.max(excess, zero);
        let least = tape.scalar(1.0);
        let count = tape.max(count, least);
        let further = tape.div(excess, count);
        threshold = tape.add(threshold, further);
    }
    let above = tape.sub(size, threshold);
    let over = tape.max(above, zero);
    // What rounding, or more steps than these, leaves outside goes straight in.
    let sum = tape.sum(over, axes);
    let least = tape.scalar(LEAST);
    let sum = tape.max(sum, least);
    let factor = tape.div(radius, sum);
    let one = tape.scalar(1.0);
    let factor = tape.min(factor, one);
    let over = tape.mul(over, factor);
    let sign = tape.sign(v);
    tape.mul(over, sign)
}
