//! Softmax and cross entropy, per trial.

use crate::tape::{Tape, Var};

/// log softmax over the last axis, stabilised by its maximum.
pub fn log_softmax(tape: &mut Tape, logits: Var) -> Var {
    let last = tape.shape(logits).len() - 1;
    let max = tape.max_over(logits, &[last]);
    let shifted = tape.sub(logits, max);
    let exp = tape.exp(shifted);
    let sum = tape.sum(exp, &[last]);
    let log = tape.log(sum);
    tape.sub(shifted, log)
}

/// Softmax over the last axis.
pub fn softmax(tape: &mut Tape, logits: Var) -> Var {
    let log = log_softmax(tape, logits);
    tape.exp(log)
}

/// Mean over the batch of −Σ_k target·log softmax(logits): logits and targets `(T,B,K)`, result `(T)`.
/// Targets are probabilities: one-hot rows for hard labels.
pub fn cross_entropy(tape: &mut Tape, logits: Var, targets: Var) -> Var {
    let batch = tape.shape(logits)[1] as f64;
    let log = log_softmax(tape, logits);
    let product = tape.mul(log, targets);
    let sum = tape.sum_per_trial(product);
    tape.mul_scalar(sum, -1.0 / batch)
}

/// −Σ_k w_k·target·log softmax(logits) / Σ_k w_k·target, both over the whole batch; `weights` `(K)`, result `(T)`.
pub fn weighted_cross_entropy(tape: &mut Tape, logits: Var, targets: Var, weights: &[f64]) -> Var {
    let weights = tape.literal(&[1, 1, weights.len()], weights.to_vec());
    let weighted = tape.mul(targets, weights);
    let log = log_softmax(tape, logits);
    let product = tape.mul(log, weighted);
    let [sum, total] = [product, weighted].map(|part| tape.sum_per_trial(part));
    let mean = tape.div(sum, total);
    tape.neg(mean)
}

/// Mean over batch and classes of log(1 + eᶻ) − t·z: logits z and targets t `(T,B,K)`, result `(T)`.
pub fn binary_cross_entropy(tape: &mut Tape, logits: Var, targets: Var) -> Var {
    let count = (tape.shape(logits)[1] * tape.shape(logits)[2]) as f64;
    // log(1 + eᶻ) = max(z, 0) + log(1 + e^−|z|), which overflows nowhere.
    let zero = tape.scalar(0.0);
    let positive = tape.max(logits, zero);
    let size = tape.abs(logits);
    let size = tape.neg(size);
    let small = tape.exp(size);
    let small = tape.add_scalar(small, 1.0);
    let rest = tape.log(small);
    let all = tape.add(positive, rest);
    let own = tape.mul(targets, logits);
    let difference = tape.sub(all, own);
    let sum = tape.sum_per_trial(difference);
    tape.mul_scalar(sum, 1.0 / count)
}

/// One-hot rows `(B,K)` of class indices, row-major.
pub fn one_hot(labels: &[usize], classes: usize) -> Vec<f32> {
    let mut rows = vec![0.0; labels.len() * classes];
    labels.iter().enumerate().for_each(|(i, &label)| rows[i * classes + label] = 1.0);
    rows
}
