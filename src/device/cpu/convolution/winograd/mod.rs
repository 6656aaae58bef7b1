//! 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3): a quarter of the multiplications.
//!
//! Tiles of 6×6 inputs and the weights are transformed, 36 matrix products over the channels take the place of the sum over
//! channels and taps, and their results are transformed back into tiles of 4×4 outputs. The gradient by x is such a
//! convolution of g with the weights turned round; that by w has the products run over the tiles ([`grad_weight`]).
//!
//! Whatever the order in which tiles, weights and points are taken ([`by_chunks`], [`by_points`], [`sums`]), every element adds its products
//! in one order, given by the convolution's sizes alone.

mod by_chunks;
mod by_points;
mod convolution;
mod grad_weight;
mod gradient;
mod input;
mod output;
mod points;
mod sums;
mod tiles;
mod transforms;
mod weight;

pub(crate) use convolution::Convolution;
pub(crate) use grad_weight::GradWeight;

use std::ops::Range;

use self::tiles::LANES;
use super::plain::is_plain;
use crate::tape::spec::ConvSpec;

/// Products that are added in one go. The transform back multiplies a sum's rounding error, which in one long sum would be most
/// of it.
const SUM: usize = 32;
/// Estimated nanoseconds of transforming one channel's tile, or one pair's weights.
const TRANSFORM: usize = 5;

/// Piece `index` of `0..count`, cut into pieces of `len`.
fn piece(index: usize, len: usize, count: usize) -> Range<usize> {
    index * len..count.min((index + 1) * len)
}

/// Whether Winograd's way can compute it.
fn fits(spec: &ConvSpec) -> bool {
    is_plain(spec)
        && spec.padding.iter().all(|&padding| padding <= 2)
        && spec.output_len() * spec.channels > 0
}

/// The slice from its first whole cache line on: at most [`LANES`] elements shorter.
fn aligned<R>(slice: &mut [R]) -> &mut [R] {
    let skip = slice.as_ptr().align_offset(64).min(LANES);
    &mut slice[skip..]
}
