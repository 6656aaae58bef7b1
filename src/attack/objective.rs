//! Gradient-matching objectives, per trial.

use super::config::Objective;
use crate::tape::{Tape, Var};

/// Keeps the roots differentiable where a gradient vanishes.
const EPSILON: f64 = 1e-24;

/// The distance and the norm ratio ‖g‖/‖g*‖, each `(T)`.
pub struct Match {
    /// D(g, g*)
    pub distance: Var,
    /// ‖g‖/‖g*‖
    pub norm_ratio: Var,
}

/// How much of the observed gradient counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weighting {
    /// A factor for each tensor's part, `(T|1, tensors)`.
    pub layers: Option<Var>,
    /// Entries of g* below this magnitude are left out, `(T|1)`.
    pub threshold: Option<Var>,
}

/// D(g, g*) over all layers. `trial` and `observed` are pairs of one layer, `(T,…)` each.
pub fn matching(
    tape: &mut Tape,
    objective: Objective,
    trial: &[Var],
    observed: &[Var],
    weighting: Weighting,
) -> Match {
    let masked: Vec<Var> = match weighting.threshold {
        None => trial.to_vec(),
        Some(threshold) => trial
            .iter()
            .zip(observed)
            .map(|(&g, &o)| {
                let mask = above(tape, o, threshold);
                tape.mul(g, mask)
            })
            .collect(),
    };
    // Entries of g* that are left out meet a trial entry of 0 in the product; its own norm is masked, too.
    let kept: Vec<Var> = match weighting.threshold {
        None => observed.to_vec(),
        Some(threshold) => observed
            .iter()
            .map(|&o| {
                let mask = above(tape, o, threshold);
                tape.mul(o, mask)
            })
            .collect(),
    };
    let all = Layerwise { layers: weighting.layers };
    let trial_squares = all.sums(tape, &masked, |tape, g, _| tape.mul(g, g), &masked);
    let observed_squares = all.sums(tape, &kept, |tape, o, _| tape.mul(o, o), &kept);
    let [a, b] = [&trial_squares, &observed_squares].map(|s| total(tape, s));
    let ratio = tape.div(a, b);
    let norm_ratio = tape.sqrt(ratio);
    let distance = match objective {
        Objective::L2 => {
            let parts = all.sums(
                tape,
                &masked,
                |tape, g, o| {
                    let difference = tape.sub(g, o);
                    tape.mul(difference, difference)
                },
                &kept,
            );
            total(tape, &parts)
        }
        Objective::L1 => {
            let parts = all.sums(
                tape,
                &masked,
                |tape, g, o| {
                    let difference = tape.sub(g, o);
                    tape.abs(difference)
                },
                &kept,
            );
            total(tape, &parts)
        }
        Objective::Cosine | Objective::CosineTop(_) => {
            let products = all.sums(tape, &masked, |tape, g, o| tape.mul(g, o), &kept);
            let dot = total(tape, &products);
            one_minus_cosine(tape, dot, a, b)
        }
        Objective::CosineLayerwise => {
            // Each layer's cosine is free of its weight: the weights enter in the mean.
            let plain = Layerwise { layers: None };
            let products = plain.sums(tape, &masked, |tape, g, o| tape.mul(g, o), &kept);
            let a = plain.sums(tape, &masked, |tape, g, _| tape.mul(g, g), &masked);
            let b = plain.sums(tape, &kept, |tape, o, _| tape.mul(o, o), &kept);
            let distances: Vec<Var> =
                (0..products.len()).map(|l| one_minus_cosine(tape, products[l], a[l], b[l])).collect();
            let weighted: Vec<Var> =
                distances.iter().enumerate().map(|(l, &d)| all.weighted(tape, l, d)).collect();
            let sum = total(tape, &weighted);
            tape.mul_scalar(sum, 1.0 / weighted.len() as f64)
        }
    };
    Match { distance, norm_ratio }
}

/// 1 where |o| ≥ threshold, else 0.
fn above(tape: &mut Tape, o: Var, threshold: Var) -> Var {
    let rank = tape.shape(o).len();
    let leading = tape.shape(threshold)[0];
    let threshold = tape.reshape(threshold, &[&[leading], vec![1; rank - 1].as_slice()].concat());
    let magnitude = tape.abs(o);
    let below = tape.less(magnitude, threshold);
    let one = tape.scalar(1.0);
    tape.sub(one, below)
}

fn one_minus_cosine(tape: &mut Tape, dot: Var, a: Var, b: Var) -> Var {
    let [a, b] = [a, b].map(|s| {
        let s = tape.add_scalar(s, EPSILON);
        tape.rsqrt(s)
    });
    let cosine = tape.mul(dot, a);
    let cosine = tape.mul(cosine, b);
    let one = tape.scalar(1.0);
    tape.sub(one, cosine)
}

fn total(tape: &mut Tape, parts: &[Var]) -> Var {
    parts[1..].iter().fold(parts[0], |total, &s| tape.add(total, s))
}

/// Sums over a layer's entries, with the layer's weight.
struct Layerwise {
    layers: Option<Var>,
}

impl Layerwise {
    /// One `(T)` a layer.
    fn sums(
        &self,
        tape: &mut Tape,
        left: &[Var],
        entry: impl Fn(&mut Tape, Var, Var) -> Var,
        right: &[Var],
    ) -> Vec<Var> {
        let pairs = left.iter().zip(right).enumerate();
        pairs
            .map(|(l, (&a, &b))| {
                let entries = entry(tape, a, b);
                let sum = tape.sum_per_trial(entries);
                self.weighted(tape, l, sum)
            })
            .collect()
    }

    fn weighted(&self, tape: &mut Tape, layer: usize, value: Var) -> Var {
        let Some(weights) = self.layers else { return value };
        let leading = tape.shape(weights)[0];
        let weight = tape.narrow(weights, 1, layer, 1);
        let weight = tape.reshape(weight, &[leading]);
        tape.mul(value, weight)
    }
}
