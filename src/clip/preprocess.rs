//! From a picture of any size to what an image tower takes, differentiable: the short side resized, the centre cut
//! out, mean and deviation of CLIP's pixels taken off.

use super::resize::bicubic;
use crate::{
    data::Normalisation,
    tape::{Tape, Var},
};

pub const CHANNELS: usize = 3;

/// Of OpenAI's training data.
pub fn normalisation() -> Normalisation {
    Normalisation::parse("0.48145466,0.4578275,0.40821073", "0.26862954,0.26130258,0.27577711")
        .expect("constants")
}

/// `pixels (B,3,H,W)` in [0, 1] to `(B,3,S,S)`, normalised. Values that bicubic resampling carries outside [0, 1] are
/// clamped after each axis, as Pillow does, and have no gradient.
pub fn preprocess(tape: &mut Tape, pixels: Var, size: usize, normalisation: &Normalisation) -> Var {
    let cut = resize(tape, pixels, size);
    let per_channel = |tape: &mut Tape, values: &[f32]| {
        tape.literal(&[1, CHANNELS, 1, 1], values.iter().map(|&v| f64::from(v)).collect())
    };
    let mean = per_channel(tape, normalisation.mean());
    let inverse: Vec<f32> = normalisation.std().iter().map(|std| 1.0 / std).collect();
    let inverse = per_channel(tape, &inverse);
    let centred = tape.sub(cut, mean);
    tape.mul(centred, inverse)
}

/// `(B,3,H,W) → (B,3,S,S)`: the short side becomes `S`, the long one keeps its ratio, rounded down; the middle of it
/// is kept, as torchvision's `Resize` and `CenterCrop` choose it.
pub fn resize(tape: &mut Tape, pixels: Var, size: usize) -> Var {
    let [batch, channels, height, width] = tape.shape(pixels)[..] else { panic!("pixels are (B,3,H,W)") };
    if [height, width] == [size; 2] {
        return pixels;
    }
    let planes = batch * channels;
    let x = tape.reshape(pixels, &[planes, height, width]);
    // Only rows and columns that are kept are computed: a very long picture costs no more than its own pixels.
    let [rows, cols] = [(height, width), (width, height)].map(|(side, other)| {
        let to = if side <= other { size } else { (size as u128 * side as u128 / other as u128) as usize };
        let start = middle(to - size);
        bicubic(side, to, start..start + size)
    });
    let cols = tape.literal(&[1, size, width], cols);
    let cols = tape.transpose(cols);
    let cols = tape.broadcast_to(cols, &[planes, width, size]);
    let rows = tape.literal(&[1, size, height], rows);
    let rows = tape.broadcast_to(rows, &[planes, size, height]);
    let across = |tape: &mut Tape, x| {
        let x = tape.matmul(x, cols);
        clamp(tape, x)
    };
    let down = |tape: &mut Tape, x| {
        let x = tape.matmul(rows, x);
        clamp(tape, x)
    };
    // The order matters for what is clamped. Pillow 13 shrinks tall pictures down first, all others across.
    let x = if size < width && height > 2 * width {
        let x = down(tape, x);
        across(tape, x)
    } else {
        let x = across(tape, x);
        down(tape, x)
    };
    tape.reshape(x, &[batch, channels, size, size])
}

/// Half of the surplus, a half rounded to the even neighbour, as Python's `round` does.
fn middle(surplus: usize) -> usize {
    let half = surplus / 2;
    half + usize::from(surplus % 2 == 1 && half % 2 == 1)
}

fn clamp(tape: &mut Tape, x: Var) -> Var {
    let [zero, one] = [0.0, 1.0].map(|v| tape.scalar(v));
    let x = tape.max(x, zero);
    tape.min(x, one)
}
