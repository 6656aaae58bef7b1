//! The image tower: a vision transformer (Dosovitskiy 2021) with a layer norm in front.

use super::{
    tower::Frozen,
    transformer::{blocks, norm},
};
use crate::tape::{Tape, Var};

/// `pixels (B,3,S,S)`, normalised, to features `(B,E)`, of any length.
pub fn encode(tape: &mut Tape, weights: &mut Frozen, pixels: Var) -> Var {
    let [batch, channels, size, _] = tape.shape(pixels)[..] else { panic!("pixels are (B,3,S,S)") };
    let (width, patch) = (weights.tower.width, weights.tower.tensor("patch.weight").shape[2]);
    let grid = size / patch;
    // A convolution whose stride is its kernel is a product over patches.
    let patches = tape.reshape(pixels, &[batch, channels, grid, patch, grid, patch]);
    let patches = tape.permute(patches, &[0, 2, 4, 1, 3, 5]);
    let length = channels * patch * patch;
    let patches = tape.reshape(patches, &[1, batch * grid * grid, length]);
    let weight = weights.input(tape, "patch.weight", &[1, width, length]);
    let weight = tape.transpose(weight);
    let embedded = tape.matmul(patches, weight);
    let embedded = tape.reshape(embedded, &[batch, grid * grid, width]);

    let tokens = grid * grid + 1;
    let class = weights.input(tape, "class", &[1, 1, width]);
    let class = tape.broadcast_to(class, &[batch, 1, width]);
    let sequence = tape.concat(&[class, embedded], 1);
    let position = weights.input(tape, "position", &[1, tokens, width]);
    let sequence = tape.add(sequence, position);
    let sequence = tape.reshape(sequence, &[1, batch * tokens, width]);
    let sequence = norm(tape, weights, "norm_pre", sequence);
    let class = blocks(tape, weights, sequence, [batch, tokens], None, |tape, x| {
        let x = tape.reshape(x, &[batch, tokens, width]);
        let class = tape.narrow(x, 1, 0, 1);
        tape.reshape(class, &[1, batch, width])
    });
    let class = norm(tape, weights, "norm_post", class);
    let features = weights.matmul(tape, "projection", class);
    let shared = weights.tower.projection();
    tape.reshape(features, &[batch, shared])
}
