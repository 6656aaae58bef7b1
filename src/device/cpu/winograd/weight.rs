//! Transformed weights, and their gradient transformed back.

use std::ops::Range;

use super::{
    points,
    tiles::{INPUTS, LANES},
    transforms::{Slices, both, lanes},
};
use crate::device::cpu::{gemm::Output, real::Real};

/// `GwGᵀ` of `rows` and `columns` of `w (…, count, 3, 3)`, turned round or not: `out (36, rows, columns)`, where the first of
/// each is at 0 after `origin` is taken off.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub fn weight<R: Real, const FUSED: bool>(
    w: &[R],
    count: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    origin: [usize; 2],
    turned: bool,
    layout: Slices,
    out: &Output<R>,
) {
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    let mut taps = [[R::zero(); LANES]; 9];
    for row in rows {
        for first in columns.clone().step_by(LANES) {
            let w = &w[(row * count + first) * 9..][..9 * LANES.min(columns.end - first)];
            if let Some(w) = w.first_chunk::<{ 9 * LANES }>() {
                for (tap, lanes) in taps.iter_mut().enumerate() {
                    *lanes = std::array::from_fn(|lane| w[lane * 9 + tap]);
                }
            } else {
                for (tap, lanes) in taps.iter_mut().enumerate() {
                    lanes.fill(R::zero());
                    lanes.iter_mut().zip(w[tap..].iter().step_by(9)).for_each(|(lane, &w)| *lane = w);
                }
            }
            if turned {
                taps.reverse();
            }
            both(
                points::weight::<R, FUSED>,
                &mut half,
                |row, column| &taps[row * 3 + column],
                |i, j, values| {
                    let at = (row - origin[0]) * layout.row + first - origin[1];
                    let at = (i * INPUTS + j) * layout.slice() + at;
                    // SAFETY: the caller gives every row to one thread.
                    unsafe { out.put(at, values) };
                },
            );
        }
    }
}

/// `GᵀMG` of `products (36, C, O)`, written to `out (O,C,3,3)` of which they are rows `outputs` and columns `channels`;
/// `count` is all of C.
#[inline(always)]
pub fn weight_gradient<R: Real, const FUSED: bool>(
    products: &[R],
    layout: Slices,
    channels: Range<usize>,
    outputs: Range<usize>,
    count: usize,
    out: &Output<R>,
) {
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    let mut taps = [[R::zero(); LANES]; 9];
    for first in outputs.clone().step_by(LANES) {
        for (index, channel) in channels.clone().enumerate() {
            let products = &products[index * layout.row + first - outputs.start..];
            both(
                points::weight_gradient::<R, FUSED>,
                &mut half,
                |row, column| lanes(&products[(row * INPUTS + column) * layout.slice()..]),
                |row, column, values| taps[row * 3 + column] = *values,
            );
            for lane in 0..LANES.min(outputs.end - first) {
                let at = ((first + lane) * count + channel) * 9;
                // SAFETY: the caller gives every pair of channels to one thread.
                let to = unsafe { out.slice(at..at + 9) };
                for (to, tap) in to.iter_mut().zip(&taps) {
                    *to = tap[lane];
                }
            }
        }
    }
}
