//! Transformed tiles of the gradient by the output.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use fearless_simd::Simd;

use super::{
    points,
    tiles::{INPUTS, LANES, OUTPUTS, Tiling},
    transforms::{Part, both},
};
use crate::device::cpu::{
    memory::output::Output,
    vectors::{Real, len, shuffle::by_fours, splat, vectorized},
};

/// Tiles of g that are put in order together.
const TOGETHER: usize = 8;

vectorized! {
    /// `AgAᵀ` of a group of tiles for sixteen channels from each of `channels` on, of images of `count` planes: 36 matrices
    /// `(tiles, count)` in panels of sixteen columns.
    pub(crate) fn gradient(
        tiling: &Tiling, g: &[R], count: usize, part: &Part, channels: Range<usize>, out: &Output<R>
    ) = gradient_loop;
}

#[inline(always)]
fn gradient_loop<S: Simd, R: Real>(
    simd: S,
    tiling: &Tiling,
    g: &[R],
    count: usize,
    part: &Part,
    channels: Range<usize>,
    out: &Output<R>,
) {
    let Part { tiles: group, at: offset, layout, .. } = part;
    let [height, width] = tiling.outputs;
    let (plane_len, vector) = (height * width, len::<S, R>());
    // Rows of tiles, four elements of each channel. As in `input`, they are read long after they are written.
    let mut rows = [[[[R::zero(); OUTPUTS]; LANES]; OUTPUTS]; TOGETHER];
    for channel in channels.step_by(LANES) {
        for run in tiling.runs(group.clone()) {
            for start in (0..run.len).step_by(TOGETHER) {
                let tiles = TOGETHER.min(run.len - start);
                for lane in 0..LANES.min(count - channel) {
                    let plane = &g[(run.image * count + channel + lane) * plane_len..][..plane_len];
                    for row in 0..OUTPUTS {
                        let y = run.first[0] + row;
                        let line = if y < height { &plane[y * width..][..width] } else { &[] };
                        for (s, rows) in rows[..tiles].iter_mut().enumerate() {
                            let x = run.first[1] + (start + s) * OUTPUTS;
                            rows[row][lane] = match line.get(x..x + OUTPUTS) {
                                Some(line) => *line.first_chunk().expect("four elements"),
                                None => {
                                    std::array::from_fn(|i| line.get(x + i).copied().unwrap_or(R::zero()))
                                }
                            };
                        }
                    }
                }
                for (s, rows) in rows[..tiles].iter().enumerate() {
                    for at in (0..LANES).step_by(vector) {
                        let mut tile = [[splat::<S, R>(simd, R::zero()); OUTPUTS]; OUTPUTS];
                        for row in 0..OUTPUTS {
                            tile[row] = by_fours::<S, R>(simd, &rows[row].as_flattened()[OUTPUTS * at..]);
                        }
                        both::<S, R, _, _>(
                            simd,
                            #[inline(always)]
                            |values| points::gradient::<S, R>(values),
                            #[inline(always)]
                            |row, column| tile[row][column],
                            #[inline(always)]
                            |i, j, value| {
                                let panel =
                                    channel / LANES * layout.row + (offset + run.at + start + s) * LANES;
                                let at = (i * INPUTS + j) * layout.slice() + panel + at;
                                // SAFETY: the caller gives every channel of a group to one thread.
                                unsafe { out.put::<S>(at, value) };
                                out.prefetch(at + 2 * LANES);
                            },
                        );
                    }
                }
            }
        }
    }
}
