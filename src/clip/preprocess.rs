//! From a picture of any size to what an image tower takes, differentiable: resized, the middle cut out or framed,
//! mean and deviation of the model's pixels taken off.

use super::resize::matrix;
use crate::{
    data::Normalisation,
    tape::{Tape, Var},
};

pub use super::resize::Interpolation;

/// Red, green and blue.
pub const CHANNELS: usize = 3;

/// Of OpenAI's training data.
pub fn openai() -> Normalisation {
    Normalisation::parse("0.48145466,0.4578275,0.40821073", "0.26862954,0.26130258,0.27577711")
        .expect("constants")
}

/// Of pictures `(B,C,H,W)` for a model of this side: those that are no larger get a black frame, others are resized, as
/// [`preprocess`] does.
pub fn framed(tape: &mut Tape, pixels: Var, side: usize, normalisation: &Normalisation) -> Var {
    let [batch, channels, height, width] = tape.shape(pixels)[..] else { panic!("pixels are (B,C,H,W)") };
    let framed = if height <= side && width <= side {
        let before = [0, 0, (side - height) / 2, (side - width) / 2];
        tape.pad(pixels, &before, &[batch, channels, side, side])
    } else {
        pixels
    };
    preprocess(tape, framed, side, normalisation)
}

/// What size a picture is given before its middle is cut out; `None`: that of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// None at all.
    None,
    /// The short side becomes this; the long one keeps its ratio, rounded down, as torchvision's `Resize` does.
    Shortest(Option<usize>),
    /// The long side becomes the model's; the short one keeps its ratio, rounded, as OpenCLIP's `ResizeKeepRatio` does.
    Longest,
    /// Both sides, whatever their ratio.
    Square(Option<usize>),
}

/// Where the middle begins when a side's surplus is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Half of it, as `transformers` cuts.
    Down,
    /// A half goes to the even neighbour, as torchvision cuts.
    HalfEven,
}

/// How a picture becomes the model's input.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// What size a picture is given before its middle is cut out.
    pub resize: Resize,
    /// The kernel of that resampling.
    pub interpolation: Interpolation,
    /// Where the middle begins when a side's surplus is odd.
    pub rounding: Rounding,
    /// Grey in [0, 1] of the frame of what is too small.
    pub fill: f64,
    /// Of pixels in [0, 1].
    pub normalisation: Normalisation,
}

impl Preprocessing {
    /// OpenAI's: bicubic, the short side resized, the middle cut out.
    pub fn openai() -> Preprocessing {
        Preprocessing {
            resize: Resize::Shortest(None),
            interpolation: Interpolation::Bicubic,
            rounding: Rounding::HalfEven,
            fill: 0.0,
            normalisation: openai(),
        }
    }

    /// SigLIP's: bicubic, both sides resized, pixels between −1 and 1.
    pub fn siglip() -> Preprocessing {
        let normalisation = Normalisation::parse("0.5,0.5,0.5", "0.5,0.5,0.5").expect("constants");
        Preprocessing { resize: Resize::Square(None), normalisation, ..Preprocessing::openai() }
    }

    /// `pixels (B,3,H,W)` in [0, 1] to `(B,3,S,S)`, normalised.
    pub fn apply(&self, tape: &mut Tape, pixels: Var, size: usize) -> Var {
        let cut = self.resized(tape, pixels, size);
        normalise(tape, cut, &self.normalisation)
    }

    /// `(B,3,H,W) → (B,3,S,S)`. Values that bicubic resampling carries outside [0, 1] are clamped after each axis, as
    /// Pillow does, and have no gradient.
    pub fn resized(&self, tape: &mut Tape, pixels: Var, size: usize) -> Var {
        let [batch, channels, height, width] = tape.shape(pixels)[..] else { panic!("pixels are (B,3,H,W)") };
        let to = self.resize.sides([height, width], size);
        if [height, width] == [size; 2] && to == [size; 2] {
            return pixels;
        }
        let planes = batch * channels;
        let x = tape.reshape(pixels, &[planes, height, width]);
        // Only rows and columns that are kept are computed: a very long picture costs no more than its own pixels.
        let [rows, cols] = [(height, to[0]), (width, to[1])].map(|(from, to)| self.axis(from, to, size));
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
        let x = if to[1] < width && height > 2 * width {
            let x = down(tape, x);
            across(tape, x)
        } else {
            let x = across(tape, x);
            down(tape, x)
        };
        let x = tape.reshape(x, &[batch, channels, size, size]);
        self.framed(tape, x, to, size)
    }

    /// The matrix `(S,from)` that resizes an axis to `to` and keeps its middle, or sets it in a frame of zeros.
    fn axis(&self, from: usize, to: usize, size: usize) -> Vec<f64> {
        let start = match self.rounding {
            Rounding::Down => to.saturating_sub(size) / 2,
            Rounding::HalfEven => middle(to.saturating_sub(size)),
        };
        let kept = to.min(size);
        let before = (size - kept) / 2;
        let mut axis = vec![0.0; size * from];
        let inside = matrix(self.interpolation, from, to, start..start + kept);
        axis[before * from..][..inside.len()].copy_from_slice(&inside);
        axis
    }

    /// The frame in its own grey.
    fn framed(&self, tape: &mut Tape, x: Var, to: [usize; 2], size: usize) -> Var {
        if self.fill == 0.0 || to.iter().all(|&side| side >= size) {
            return x;
        }
        let inside = to.map(|side| {
            let before = (size - side.min(size)) / 2;
            before..before + side.min(size)
        });
        let grey = |at: usize| {
            let kept = inside[0].contains(&(at / size)) && inside[1].contains(&(at % size));
            if kept { 0.0 } else { self.fill }
        };
        let frame = tape.literal(&[1, 1, size, size], (0..size * size).map(grey).collect());
        tape.add(x, frame)
    }
}

impl Resize {
    /// `[H, W]` of a picture for a model of side `size`.
    fn sides(self, from: [usize; 2], size: usize) -> [usize; 2] {
        let [short, long] = [from[0].min(from[1]), from[0].max(from[1])];
        match self {
            Resize::None => from,
            Resize::Square(side) => [side.unwrap_or(size); 2],
            Resize::Shortest(side) => {
                let side = side.unwrap_or(size);
                from.map(
                    |n| if n == short { side } else { (side as u128 * n as u128 / short as u128) as usize },
                )
            }
            Resize::Longest => {
                let ratio = long as f64 / size as f64;
                from.map(|n| ((n as f64 / ratio).round_ties_even() as usize).max(1))
            }
        }
    }
}

/// `pixels (B,3,H,W)` in [0, 1] to `(B,3,S,S)` as OpenAI prepares them, but for the normalisation.
pub fn preprocess(tape: &mut Tape, pixels: Var, size: usize, normalisation: &Normalisation) -> Var {
    let cut = resize(tape, pixels, size);
    normalise(tape, cut, normalisation)
}

/// `(B,3,H,W) → (B,3,S,S)`: OpenAI's resize and crop, see [`Preprocessing::openai`].
pub fn resize(tape: &mut Tape, pixels: Var, size: usize) -> Var {
    Preprocessing::openai().resized(tape, pixels, size)
}

fn normalise(tape: &mut Tape, pixels: Var, normalisation: &Normalisation) -> Var {
    let per_channel = |tape: &mut Tape, values: &[f32]| {
        tape.literal(&[1, CHANNELS, 1, 1], values.iter().map(|&v| f64::from(v)).collect())
    };
    let mean = per_channel(tape, normalisation.mean());
    let inverse: Vec<f32> = normalisation.std().iter().map(|std| 1.0 / std).collect();
    let inverse = per_channel(tape, &inverse);
    let centred = tape.sub(pixels, mean);
    tape.mul(centred, inverse)
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
