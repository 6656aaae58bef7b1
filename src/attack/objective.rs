//! Gradient-matching objectives, per trial.

use super::config::Objective;
use crate::tape::{Tape, Var};

/// Keeps the roots differentiable where a gradient vanishes.
const EPSILON: f64 = 1e-24;

/// The distance and the norm ratio ‖g‖/‖g*‖, each `(T)`.
pub struct Match {
    pub distance: Var,
    pub norm_ratio: Var,
}

/// D(g, g*) over all layers. `trial` and `observed` are pairs of one layer, `(T,…)` each.
pub fn matching(tape: &mut Tape, objective: Objective, trial: &[Var], observed: &[Var]) -> Match {
    let square = |tape: &mut Tape, vars: &[Var]| {
        let products: Vec<Var> = vars.iter().map(|&v| tape.mul(v, v)).collect();
        sum_all(tape, &products)
    };
    let trial_square = square(tape, trial);
    let observed_square = square(tape, observed);
    let ratio = tape.div(trial_square, observed_square);
    let norm_ratio = tape.sqrt(ratio);
    let distance = match objective {
        Objective::L2 => {
            let differences: Vec<Var> = trial.iter().zip(observed).map(|(&g, &o)| tape.sub(g, o)).collect();
            square(tape, &differences)
        }
        Objective::Cosine => {
            let products: Vec<Var> = trial.iter().zip(observed).map(|(&g, &o)| tape.mul(g, o)).collect();
            let dot = sum_all(tape, &products);
            let [a, b] = [trial_square, observed_square].map(|s| {
                let s = tape.add_scalar(s, EPSILON);
                tape.rsqrt(s)
            });
            let cosine = tape.mul(dot, a);
            let cosine = tape.mul(cosine, b);
            let one = tape.scalar(1.0);
            tape.sub(one, cosine)
        }
    };
    Match { distance, norm_ratio }
}

/// Sum over all tensors and all their axes but the first.
fn sum_all(tape: &mut Tape, tensors: &[Var]) -> Var {
    let sums: Vec<Var> = tensors.iter().map(|&t| tape.sum_per_trial(t)).collect();
    sums[1..].iter().fold(sums[0], |total, &s| tape.add(total, s))
}
