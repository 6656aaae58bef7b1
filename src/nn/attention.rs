//! Scaled dot-product attention (Vaswani 2017) of several heads.

use crate::tape::{Tape, Var};

/// Sizes of one attention.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// `B`
    pub batch: usize,
    /// `L`
    pub tokens: usize,
    /// `H`
    pub heads: usize,
}

/// softmax(q·kᵀ/√d + mask)·v per sequence and head: `q, k, v (B·H,L,d)`, mask `(1,L,L)`, result `(B·H,L,d)`.
pub fn attention(tape: &mut Tape, parts: [Var; 3], mask: Option<Var>) -> Var {
    let width = tape.shape(parts[0])[2] as f64;
    attention_of_scale(tape, parts, 1.0 / width.sqrt(), mask)
}

/// The same with another factor in place of 1/√d; the mask is `(1|B·H,L,S)`.
pub fn attention_of_scale(tape: &mut Tape, [q, k, v]: [Var; 3], scale: f64, mask: Option<Var>) -> Var {
    let across = tape.transpose(k);
    let scores = tape.matmul(q, across);
    // Scaled here and not in q: a scaled q would be stored once more on the way back.
    let mut scores = tape.mul_scalar(scores, scale);
    if let Some(mask) = mask {
        scores = tape.add(scores, mask);
    }
    let weights = softmax(tape, scores);
    tape.matmul(weights, v)
}

/// Over the last of three axes, without the logarithm that a loss takes: one pass less.
fn softmax(tape: &mut Tape, scores: Var) -> Var {
    let max = tape.max_over(scores, &[2]);
    let shifted = tape.sub(scores, max);
    let exp = tape.exp(shifted);
    let sum = tape.sum(exp, &[2]);
    tape.div(exp, sum)
}

/// What each sequence's one query `q (1,B,D)` reads in `x (1,B·L,D)` through the matrices of keys and values, `(1,D,D)`,
/// all heads side by side: `(1,B,D)`. The biases are left out: the keys' adds the same to all scores of a query, so
/// softmax takes it away again, and the values' adds itself to the result, for the weights' sum is 1.
///
/// Keys and values are never made: `q·(x·W_k)ᵀ = (q·W_kᵀ)·xᵀ` and `p·(x·W_v) = (p·x)·W_v`, of which the right sides ask
/// for L times less.
pub fn attention_of_one(tape: &mut Tape, q: Var, x: Var, [key, value]: [Var; 2], sizes: Heads) -> Var {
    let Heads { batch, tokens, heads } = sizes;
    let inputs = tape.shape(x)[2];
    let width = tape.shape(q)[2] / heads;
    let q = tape.reshape(q, &[batch, heads, width]);
    let q = tape.permute(q, &[1, 0, 2]);
    let key = tape.reshape(key, &[inputs, heads, width]);
    let key = tape.permute(key, &[1, 2, 0]);
    let q = tape.matmul(q, key);
    let q = tape.permute(q, &[1, 0, 2]);

    let x = tape.reshape(x, &[batch, tokens, inputs]);
    let across = tape.transpose(x);
    let scores = tape.matmul(q, across);
    let scores = tape.mul_scalar(scores, 1.0 / (width as f64).sqrt());
    let weights = softmax(tape, scores);
    let read = tape.matmul(weights, x);

    let read = tape.permute(read, &[1, 0, 2]);
    let value = tape.reshape(value, &[inputs, heads, width]);
    let value = tape.permute(value, &[1, 0, 2]);
    let read = tape.matmul(read, value);
    let read = tape.permute(read, &[1, 0, 2]);
    tape.reshape(read, &[1, batch, heads * width])
}

/// What is added to a score that must not count. Finite, for shading languages promise nothing about infinities; far
/// below every score.
const HIDDEN: f64 = -1e30;

/// A causal mask `(1,L,L)`: a token sees itself and what stands before it.
pub fn causal_mask(tape: &mut Tape, tokens: usize) -> Var {
    let cell = |at: usize| if at % tokens > at / tokens { HIDDEN } else { 0.0 };
    tape.literal(&[1, tokens, tokens], (0..tokens * tokens).map(cell).collect())
}

/// A projection and its bias by head: `x (1,B·L,D), bias (D) → (B·H,L,D/H)`. The bias is added behind the
/// permutation, so that one kernel does both.
pub fn split_heads(tape: &mut Tape, x: Var, bias: Var, sizes: Heads) -> Var {
    let Heads { batch, tokens, heads } = sizes;
    let width = tape.shape(x)[2] / heads;
    let x = tape.reshape(x, &[batch, tokens, heads, width]);
    let x = tape.permute(x, &[0, 2, 1, 3]);
    let bias = tape.reshape(bias, &[1, heads, 1, width]);
    let x = tape.add(x, bias);
    tape.reshape(x, &[batch * heads, tokens, width])
}

/// The inverse without a bias: `(B·H,L,D/H) → (1,B·L,D)`.
pub fn join_heads(tape: &mut Tape, x: Var, sizes: Heads) -> Var {
    let Heads { batch, tokens, heads } = sizes;
    let width = tape.shape(x)[2];
    let x = tape.reshape(x, &[batch, heads, tokens, width]);
    let x = tape.permute(x, &[0, 2, 1, 3]);
    tape.reshape(x, &[1, batch * tokens, heads * width])
}
