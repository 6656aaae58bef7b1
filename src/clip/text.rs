//! The text tower: a causal transformer, whose state at the end-of-text token is what a text means.

use super::{
    tower::{Frozen, Tower},
    transformer::{blocks, norm},
};
use crate::{
    nn::attention::causal_mask,
    tape::{Tape, Var},
};

/// `embedded (1,B·L,D)`, tokens with their positions, and `ends (B)`, the row of each text's last token, to
/// features `(B,E)`, of any length.
pub fn encode(tape: &mut Tape, weights: &mut Frozen, embedded: Var, ends: Var) -> Var {
    let [_, rows, width] = tape.shape(embedded)[..] else { panic!("tokens are (1,B·L,D)") };
    let batch = tape.shape(ends)[0];
    let tokens = rows / batch;
    let mask = causal_mask(tape, tokens);
    let last = blocks(tape, weights, embedded, [batch, tokens], Some(mask), |tape, x| {
        let table = tape.reshape(x, &[rows, width]);
        let last = tape.gather(table, ends);
        tape.reshape(last, &[1, batch, width])
    });
    let last = norm(tape, weights, "norm_post", last);
    let features = weights.matmul(tape, "projection", last);
    let shared = weights.tower.projection();
    tape.reshape(features, &[batch, shared])
}

/// Rows of `embedded` for texts of token ids, each padded to `tokens`: what stands behind the last token is never
/// looked at, so zeros do.
pub fn embed(tower: &Tower, texts: &[&[usize]], tokens: usize) -> Vec<f32> {
    let width = tower.width;
    let (table, positions) = (&tower.tensor("token").data, &tower.tensor("position").data);
    let mut rows = vec![0.0; texts.len() * tokens * width];
    for (text, rows) in texts.iter().zip(rows.chunks_mut(tokens * width)) {
        for (at, (&id, row)) in text.iter().zip(rows.chunks_mut(width)).enumerate() {
            let (token, position) = (&table[id * width..][..width], &positions[at * width..][..width]);
            row.iter_mut().zip(token).zip(position).for_each(|((sum, a), b)| *sum = a + b);
        }
    }
    rows
}
