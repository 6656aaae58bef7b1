//! Transformed weights, and their gradient transformed back.

use std::ops::Range;

use fearless_simd::Simd;

use super::{
    points,
    tiles::{INPUTS, LANES},
    transforms::{Slices, both, product},
};
use crate::device::cpu::{
    memory::output::Output,
    vectors::{Real, first, len, put, shuffle::transpose, vectorized},
};

/// Taps of a kernel.
const TAPS: usize = 9;
/// Kernels that are put in order together.
const TOGETHER: usize = 4;

vectorized! {
    /// `GwGᵀ` of `w (O,C,3,3)`, or of `(C,O,3,3)` turned round: rows `outputs` of the 36 matrices `(O,C)`, of which row `origin`
    /// is at 0; `sizes` are `[O, C]`.
    pub(crate) fn weight(
        w: &[R], sizes: [usize; 2], outputs: Range<usize>, origin: usize, turned: bool, layout: Slices, out: &Output<R>
    ) = weight_loop;

    /// `GᵀMG` of `products (36, C, O)`, written to `out (O,C,3,3)` of which they are rows `outputs` and columns `channels`;
    /// `count` is all of C.
    pub(crate) fn weight_gradient(
        products: &[R], layout: Slices, channels: Range<usize>, outputs: Range<usize>, count: usize, out: &Output<R>
    ) = weight_gradient_loop;
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn weight_loop<S: Simd, R: Real>(
    simd: S,
    w: &[R],
    [outputs, channels]: [usize; 2],
    rows: Range<usize>,
    origin: usize,
    turned: bool,
    layout: Slices,
    out: &Output<R>,
) {
    // Sixteen channels of an output.
    let mut taps = [[R::zero(); LANES]; TAPS];
    for output in rows {
        for channel in (0..channels).step_by(LANES) {
            let count = LANES.min(channels - channel);
            let kernel = |lane: usize| -> &[R; TAPS] {
                let channel = channel + lane;
                let pair = if turned { channel * outputs + output } else { output * channels + channel };
                w[pair * TAPS..].first_chunk().expect("a kernel")
            };
            for lane in (0..count).step_by(TOGETHER) {
                if count - lane >= TOGETHER {
                    let kernels: [&[R; TAPS]; TOGETHER] = std::array::from_fn(|i| kernel(lane + i));
                    for tap in [0, 4] {
                        let from = kernels.map(|kernel| kernel[tap..].as_ptr());
                        let to = taps[tap..][..4].as_flattened_mut()[lane..].as_mut_ptr();
                        // SAFETY: four taps from each of 0 and 4 on; four rows of lanes, of which four lie in each from `lane` on.
                        unsafe { transpose(simd, from, to, LANES) };
                    }
                    (0..TOGETHER).for_each(|i| taps[8][lane + i] = kernels[i][8]);
                } else {
                    for (tap, lanes) in taps.iter_mut().enumerate() {
                        (lane..count).for_each(|lane| lanes[lane] = kernel(lane)[tap]);
                    }
                }
            }
            for at in (0..count).step_by(len::<S, R>()) {
                both::<S, R, _, _>(
                    simd,
                    #[inline(always)]
                    |values| points::weight::<S, R>(values),
                    #[inline(always)]
                    |row, column| {
                        let tap = row * 3 + column;
                        first(simd, &taps[if turned { TAPS - 1 - tap } else { tap }][at..])
                    },
                    #[inline(always)]
                    |i, j, value| {
                        let at = (output - origin) * layout.row + channel + at;
                        let at = (i * INPUTS + j) * layout.slice() + at;
                        // SAFETY: the caller gives every row to one thread.
                        unsafe { out.put::<S>(at, value) };
                        out.prefetch(at + LANES);
                    },
                );
            }
        }
    }
}

#[inline(always)]
fn weight_gradient_loop<S: Simd, R: Real>(
    simd: S,
    products: &[R],
    layout: Slices,
    channels: Range<usize>,
    outputs: Range<usize>,
    count: usize,
    out: &Output<R>,
) {
    let vector = len::<S, R>();
    let mut taps = [[R::zero(); LANES]; TAPS];
    for output in outputs.clone().step_by(vector) {
        for (index, channel) in channels.clone().enumerate() {
            let products = &products[index * layout.row + output - outputs.start..];
            both::<S, R, _, _>(
                simd,
                #[inline(always)]
                |values| points::weight_gradient::<S, R>(values),
                #[inline(always)]
                |row, column| product(simd, products, layout, 0, [row, column]),
                #[inline(always)]
                |row, column, value| put::<S, R>(value, &mut taps[row * 3 + column]),
            );
            for lane in 0..vector.min(outputs.end - output) {
                let at = ((output + lane) * count + channel) * TAPS;
                // SAFETY: the caller gives every pair of channels to one thread.
                let to = unsafe { out.slice(at..at + TAPS) };
                for (to, tap) in to.iter_mut().zip(&taps) {
                    *to = tap[lane];
                }
            }
        }
    }
}
