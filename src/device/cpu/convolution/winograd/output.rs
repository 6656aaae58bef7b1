//! Products transformed back into tiles of the output.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use fearless_simd::Simd;

use super::{
    points,
    tiles::{LANES, OUTPUTS, Tiling},
    transforms::{Part, both, product},
};
use crate::device::cpu::{
    memory::output::Output,
    vectors::{
        Real, len, put,
        shuffle::{add, copy, in_turn},
        splat, vectorized,
    },
};

vectorized! {
    /// `AᵀMA` of a group of tiles, `products (36, channels, tiles)`, written to planes `channels` of `out` from channel `first` on. Images
    /// lie `image` elements apart.
    pub(crate) fn output(
        tiling: &Tiling, products: &[R], part: &Part, channels: Range<usize>, image: usize, out: &Output<R>
    ) = output_loop;
}

#[inline(always)]
fn output_loop<S: Simd, R: Real>(
    simd: S,
    tiling: &Tiling,
    products: &[R],
    part: &Part,
    channels: Range<usize>,
    image: usize,
    out: &Output<R>,
) {
    let Part { tiles: group, layout, .. } = part;
    let [height, width] = tiling.outputs;
    let vector = len::<S, R>();
    // Row i of all tiles, four elements each.
    let mut lines = [[R::zero(); OUTPUTS * LANES]; OUTPUTS];
    for (index, channel) in channels.enumerate() {
        let products = &products[index * layout.row + part.at..];
        for at in (0..group.len()).step_by(vector) {
            let mut tiles = [[splat::<S, R>(simd, R::zero()); OUTPUTS]; OUTPUTS];
            both::<S, R, _, _>(
                simd,
                #[inline(always)]
                |values| points::output::<S, R>(values),
                #[inline(always)]
                |row, column| product(simd, products, *layout, at, [row, column]),
                #[inline(always)]
                |row, column, value| tiles[row][column] = value,
            );
            for row in 0..OUTPUTS {
                let values = in_turn::<S, R>(tiles[row]);
                for i in 0..OUTPUTS {
                    put::<S, R>(values[i], &mut lines[row][OUTPUTS * at + i * vector..]);
                }
            }
        }
        for run in tiling.runs(group.clone()) {
            let len = (OUTPUTS * run.len).min(width - run.first[1]);
            for (i, line) in lines.iter().enumerate().take(height - run.first[0]) {
                let at = run.image * image + (channel * height + run.first[0] + i) * width + run.first[1];
                // SAFETY: the caller gives every channel of a group to one thread.
                let row = unsafe { out.slice(at..at + len) };
                let line = &line[OUTPUTS * run.at..];
                if part.add {
                    add(simd, line, row);
                } else {
                    copy(simd, line, row);
                }
            }
        }
    }
}
