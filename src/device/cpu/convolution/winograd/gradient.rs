//! Transformed tiles of the gradient by the output.

use std::ops::Range;

use fearless_simd::Simd;

use super::{
    points,
    tiles::{INPUTS, LANES, OUTPUTS, Tiling},
    transforms::{Part, both},
};
use crate::device::cpu::{
    memory::output::Output,
    vectors::{Real, first, len, shuffle::by_fours, vectorized},
};

/// Tiles of g that are put in order together.
const TOGETHER: usize = 8;

vectorized! {
    /// `AgAᵀ` of a group of tiles for sixteen channels from each of `channels` on, of images of `count` planes: 36 matrices
    /// `(tiles, count)` in panels of sixteen columns.
    pub fn gradient(
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
                        let tile = rows.each_ref().map(|rows| {
                            let rows = &rows.as_flattened()[OUTPUTS * at..];
                            by_fours::<S, R>(std::array::from_fn(|i| first(simd, &rows[i * vector..])))
                        });
                        both::<S, R, _, _>(
                            simd,
                            points::gradient::<S, R>,
                            |row, column| tile[row][column],
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
