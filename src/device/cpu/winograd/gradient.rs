//! Transformed tiles of the gradient by the output.

use std::ops::Range;

use super::{
    points,
    tiles::{INPUTS, LANES, OUTPUTS, Tiling},
    transforms::{Part, both, by_fours},
};
use crate::device::cpu::{gemm::Output, real::Real};

/// Tiles of g that are put in order together.
const TOGETHER: usize = 8;

/// `AgAᵀ` of a group of tiles for sixteen channels from each of `channels` on, of images of `count` planes: 36 matrices
/// `(tiles, count)` in panels of sixteen columns.
#[inline(always)]
pub fn gradient<R: Real, const FUSED: bool>(
    tiling: &Tiling,
    g: &[R],
    count: usize,
    part: &Part,
    channels: Range<usize>,
    out: &Output<R>,
) {
    let Part { tiles: group, at: offset, layout, .. } = part;
    let [height, width] = tiling.outputs;
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    // Rows of tiles, four elements of each channel. As in `input`, they are read long after they are written.
    let mut rows = [[[[R::zero(); OUTPUTS]; LANES]; OUTPUTS]; TOGETHER];
    let mut tile = [[[R::zero(); LANES]; OUTPUTS]; OUTPUTS];
    for first in channels.step_by(LANES) {
        for run in tiling.runs(group.clone()) {
            for start in (0..run.len).step_by(TOGETHER) {
                let tiles = TOGETHER.min(run.len - start);
                for lane in 0..LANES.min(count - first) {
                    let plane = &g[(run.image * count + first + lane) * height * width..][..height * width];
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
                    for (tile, rows) in tile.iter_mut().zip(rows) {
                        *tile = by_fours(|lane| &rows[lane]);
                    }
                    both(
                        points::gradient::<R, FUSED>,
                        &mut half,
                        |row, column| &tile[row][column],
                        |i, j, values| {
                            let at = first / LANES * layout.row + (offset + run.at + start + s) * LANES;
                            let at = (i * INPUTS + j) * layout.slice() + at;
                            // SAFETY: the caller gives every channel of a group to one thread.
                            unsafe { out.put(at, values) };
                            out.prefetch(at + 2 * LANES);
                        },
                    );
                }
            }
        }
    }
}
