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

/// One-hot rows `(B,K)` of class indices, row-major.
pub fn one_hot(labels: &[usize], classes: usize) -> Vec<f32> {
    let mut rows = vec![0.0; labels.len() * classes];
    labels.iter().enumerate().for_each(|(i, &label)| rows[i * classes + label] = 1.0);
    rows
}
