//! What a picture looks like before anything is known about it.

use crate::{
    nn::Statistics,
    tape::{Tape, Var},
};

/// Keeps roots differentiable at 0.
const EPSILON: f64 = 1e-12;

/// How much more the first batch norm counts than the others (Yin 2021).
const FIRST_LAYER: f64 = 10.0;

/// Anisotropic total variation, mean|∂x| + mean|∂y| over batch, channels and pixels: `(T,B,C,H,W) → (T)`.
pub fn total_variation(tape: &mut Tape, x: Var) -> Var {
    let mut total = None;
    for axis in [4, 3] {
        if tape.shape(x)[axis] < 2 {
            continue;
        }
        let difference = difference(tape, x, axis);
        let magnitude = tape.abs(difference);
        let mean = mean_per_trial(tape, magnitude);
        total = Some(total.map_or(mean, |t| tape.add(t, mean)));
    }
    let trials = tape.shape(x)[0];
    total.unwrap_or_else(|| tape.full(&[trials], 0.0))
}

/// Isotropic total variation, mean √(∂x² + ∂y²), differences taken where both exist: `(T,B,C,H,W) → (T)`.
pub fn isotropic_total_variation(tape: &mut Tape, x: Var) -> Var {
    let [trials, batch, channels, h, w] = tape.shape(x)[..] else { panic!("(T,B,C,H,W)") };
    if h < 2 || w < 2 {
        return total_variation(tape, x);
    }
    let inner = [trials, batch, channels, h - 1, w - 1];
    let squares = [4, 3].map(|axis| {
        let d = difference(tape, x, axis);
        let d = tape.slice(d, &[0; 5], &inner);
        tape.mul(d, d)
    });
    let sum = tape.add(squares[0], squares[1]);
    let sum = tape.add_scalar(sum, EPSILON);
    let length = tape.sqrt(sum);
    mean_per_trial(tape, length)
}

/// The differences between colour channels R−G, G−B, B−R as a picture of its own; `None` for grey.
pub fn colour_opponents(tape: &mut Tape, x: Var) -> Option<Var> {
    if tape.shape(x)[2] != 3 {
        return None;
    }
    let channels = [0, 1, 2].map(|c| tape.narrow(x, 2, c, 1));
    let opponents = [(0, 1), (1, 2), (2, 0)].map(|(a, b)| tape.sub(channels[a], channels[b]));
    Some(tape.concat(&opponents, 2))
}

/// mean x²: `(T,B,C,H,W) → (T)`.
pub fn image_norm(tape: &mut Tape, x: Var) -> Var {
    let square = tape.mul(x, x);
    mean_per_trial(tape, square)
}

/// Σ_l r_l (‖μ_l(x) − μ_l‖₂ + ‖σ²_l(x) − σ²_l‖₂), r = 10 for the first layer and 1 for the others (Yin 2021,
/// eq. 9): `(T)`. `targets`: mean and variance of each layer, `(T|1,C)`.
pub fn batch_norm(tape: &mut Tape, seen: &[Statistics], targets: &[(Var, Var)]) -> Option<Var> {
    let mut total = None;
    for (l, (layer, target)) in seen.iter().zip(targets).enumerate() {
        for (found, wanted) in [(layer.mean, target.0), (layer.variance, target.1)] {
            let difference = tape.sub(found, wanted);
            let square = tape.mul(difference, difference);
            let sum = tape.sum_per_trial(square);
            let sum = tape.add_scalar(sum, EPSILON);
            let mut distance = tape.sqrt(sum);
            if l == 0 {
                distance = tape.mul_scalar(distance, FIRST_LAYER);
            }
            total = Some(total.map_or(distance, |t| tape.add(t, distance)));
        }
    }
    total
}

/// ‖x_trial − mean over its group‖² (Yin 2021, eq. 11): `(T)`. `groups[t]` is the group of trial `t`; the
/// gradient by a trial's x is 2(x − mean), for what the others add cancels.
pub fn group_consistency(tape: &mut Tape, x: Var, groups: &[usize]) -> Var {
    let (trials, len) = (groups.len(), tape.len_of(x) / groups.len());
    let same = |a: usize, b: usize| groups[a] == groups[b];
    let matrix = (0..trials).flat_map(|a| {
        let size = (0..trials).filter(|&b| same(a, b)).count() as f64;
        (0..trials).map(move |b| if same(a, b) { 1.0 / size } else { 0.0 })
    });
    let matrix = tape.literal(&[1, trials, trials], matrix.collect());
    let flat = tape.reshape(x, &[1, trials, len]);
    let mean = tape.matmul(matrix, flat);
    let mean = tape.reshape(mean, &[trials, len]);
    let flat = tape.reshape(x, &[trials, len]);
    let difference = tape.sub(flat, mean);
    let square = tape.mul(difference, difference);
    tape.sum_per_trial(square)
}

/// x[i+1] − x[i] along an axis.
fn difference(tape: &mut Tape, x: Var, axis: usize) -> Var {
    let n = tape.shape(x)[axis];
    let (next, this) = (tape.narrow(x, axis, 1, n - 1), tape.narrow(x, axis, 0, n - 1));
    tape.sub(next, this)
}

/// Mean of all axes but the first: `(T,…) → (T)`.
fn mean_per_trial(tape: &mut Tape, x: Var) -> Var {
    let shape = tape.shape(x).to_vec();
    let axes: Vec<usize> = (1..shape.len()).collect();
    let mean = tape.mean(x, &axes);
    tape.reshape(mean, &[shape[0]])
}
