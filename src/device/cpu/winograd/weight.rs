//! Transformed weights, and their gradient transformed back.

use std::ops::Range;

use super::{
    points,
    tiles::{INPUTS, LANES, ROWS},
    transforms::{Slices, both, product_lanes},
};
use crate::device::cpu::{gemm::Output, real::Real};

/// Taps of a kernel.
const TAPS: usize = 9;

/// `GwGᵀ` of `w (O,C,3,3)`, or of `(C,O,3,3)` turned round: panels `panels` of the 36 matrices
/// `(O,C)`, where panel `origin` is at 0.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub fn weight<R: Real, const FUSED: bool>(
    w: &[R],
    [outputs, channels]: [usize; 2],
    panels: Range<usize>,
    origin: usize,
    turned: bool,
    layout: Slices,
    out: &Output<R>,
) {
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    // Four channels' of four outputs each, as a panel has them.
    let mut taps = [[R::zero(); LANES]; TAPS];
    for panel in panels {
        let output = panel * ROWS;
        for channel in (0..channels).step_by(ROWS) {
            let taps_of = |c: usize, o: usize| -> &[R; TAPS] {
                let pair = if turned {
                    (channel + c) * outputs + output + o
                } else {
                    (output + o) * channels + channel + c
                };
                w[pair * TAPS..].first_chunk().expect("a kernel")
            };
            let counts = [channels - channel, outputs - output].map(|count| count.min(ROWS));
            if counts == [ROWS; 2] {
                for c in 0..ROWS {
                    let kernels: [&[R; TAPS]; ROWS] = std::array::from_fn(|o| taps_of(c, o));
                    for first in [0, 4] {
                        let rows = kernels.map(|kernel| std::array::from_fn(|tap| kernel[first + tap]));
                        for (tap, values) in R::transposed(&rows).iter().enumerate() {
                            taps[first + tap][c * ROWS..][..ROWS].copy_from_slice(values);
                        }
                    }
                    for (o, kernel) in kernels.iter().enumerate() {
                        taps[8][c * ROWS + o] = kernel[8];
                    }
                }
            } else {
                for lane in 0..LANES {
                    let (c, o) = (lane / ROWS, lane % ROWS);
                    let inside = c < counts[0] && o < counts[1];
                    for (tap, lanes) in taps.iter_mut().enumerate() {
                        lanes[lane] = if inside { taps_of(c, o)[tap] } else { R::zero() };
                    }
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
                    let at = (panel - origin) * layout.row + channel * ROWS;
                    let at = (i * INPUTS + j) * layout.slice() + at;
                    // SAFETY: the caller gives every panel to one thread.
                    unsafe { out.put(at, values) };
                    out.prefetch(at + LANES);
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
                |row, column| product_lanes(products, layout, row, column),
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
