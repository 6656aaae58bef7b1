//! The image tower: a vision transformer (Dosovitskiy 2021), and how a feature is made of its tokens.

use super::{
    Pool,
    parts::{Pooler, Projection},
    pooling,
    tower::{Frozen, Tower},
    transformer::{blocks, norm},
};
use crate::tape::{Tape, Var};

/// `pixels (B,3,S,S)`, normalised, to features `(B,E)`, of any length.
pub(crate) fn encode(tape: &mut Tape, weights: &mut Frozen, tower: &Tower, pixels: Var) -> Var {
    let batch = tape.shape(pixels)[0];
    let sequence = embed(tape, weights, tower, pixels);
    let tokens = tower.tensor("position").shape[0];
    let sizes = [batch, tokens];
    let width = tower.width;
    let first = move |tape: &mut Tape, x: Var| {
        let x = tape.reshape(x, &[batch, tokens, width]);
        let class = tape.narrow(x, 1, 0, 1);
        tape.reshape(class, &[1, batch, width])
    };
    let pooled = match (tower.parts.pooler, tower.pool) {
        (Some(Pooler::Hidden), _) => {
            let x = blocks(tape, weights, tower, sequence, sizes, None, None);
            let x = norm(tape, weights, tower, "norm_post", x);
            pooling::with_hidden(tape, weights, tower, x, sizes)
        }
        (Some(Pooler::Norms), _) => {
            let x = blocks(tape, weights, tower, sequence, sizes, None, None);
            pooling::with_norms(tape, weights, tower, x, sizes)
        }
        (None, Pool::Average) => {
            let mut x = blocks(tape, weights, tower, sequence, sizes, None, None);
            if !tower.norm_after_pool {
                x = norm(tape, weights, tower, "norm_post", x);
            }
            let x = pooling::mean_of_rest(tape, x, sizes);
            if tower.norm_after_pool { norm(tape, weights, tower, "norm_post", x) } else { x }
        }
        (None, _) => {
            let class = blocks(tape, weights, tower, sequence, sizes, None, Some(&first));
            norm(tape, weights, tower, "norm_post", class)
        }
    };
    project(tape, weights, tower, pooled)
}

/// Patches and, where there is one, the class token, with their positions: `(1,B·L,D)`.
fn embed(tape: &mut Tape, weights: &mut Frozen, tower: &Tower, pixels: Var) -> Var {
    let [batch, channels, size, _] = tape.shape(pixels)[..] else { panic!("pixels are (B,3,S,S)") };
    let (width, patch, grid) = (tower.width, tower.patch(), tower.grid());
    // Pixels beyond the last whole patch are not looked at.
    let kept = grid * patch;
    let pixels = match kept < size {
        true => tape.slice(pixels, &[0; 4], &[batch, channels, kept, kept]),
        false => pixels,
    };
    // A convolution whose stride is its kernel is a product over patches.
    let patches = tape.reshape(pixels, &[batch, channels, grid, patch, grid, patch]);
    let patches = tape.permute(patches, &[0, 2, 4, 1, 3, 5]);
    let length = channels * patch * patch;
    let patches = tape.reshape(patches, &[1, batch * grid * grid, length]);
    let weight = weights.input(tape, "patch.weight", &[1, width, length]);
    let weight = tape.transpose(weight);
    let mut sequence = tape.matmul(patches, weight);
    if tower.parts.patch_bias {
        let bias = weights.vector(tape, "patch.bias");
        sequence = tape.add(sequence, bias);
    }
    sequence = tape.reshape(sequence, &[batch, grid * grid, width]);
    if tower.parts.class {
        let class = weights.input(tape, "class", &[1, 1, width]);
        let class = tape.broadcast_to(class, &[batch, 1, width]);
        sequence = tape.concat(&[class, sequence], 1);
    }
    let tokens = tape.shape(sequence)[1];
    let position = weights.input(tape, "position", &[1, tokens, width]);
    let sequence = tape.add(sequence, position);
    let sequence = tape.reshape(sequence, &[1, batch * tokens, width]);
    match tower.parts.norm_pre {
        true => norm(tape, weights, tower, "norm_pre", sequence),
        false => sequence,
    }
}

/// `(1,B,D)` to features `(B,E)`.
pub(crate) fn project(tape: &mut Tape, weights: &mut Frozen, tower: &Tower, pooled: Var) -> Var {
    let batch = tape.shape(pooled)[1];
    let features = match tower.parts.projection {
        Projection::None => pooled,
        Projection::Matrix => weights.matmul(tape, "projection", pooled),
        Projection::Linear => weights.linear(tape, "projection", pooled),
    };
    tape.reshape(features, &[batch, tower.projection()])
}
