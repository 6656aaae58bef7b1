//! The transforms of F(4×4, 3×3) over whole tiles, sixteen at a time.
//!
//! Like the loops of `lanes`, they are inlined into functions that exist once for each instruction set. The input's and the output's
//! take neighbouring tiles side by side, the weights' and their gradient's neighbouring channels.

use std::ops::Range;

use super::{
    points,
    tiles::{BLOCK, INPUTS, LANES, OUTPUTS, POINTS, Tiling},
};
use crate::device::cpu::{gemm::Output, real::Real};

type Lanes<R> = [R; LANES];

/// `POINTS` matrices of rows of `row` elements, `slice` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    pub rows: usize,
    pub row: usize,
}

impl Slices {
    /// `row` is rounded up to whole vectors.
    pub fn new(rows: usize, row: usize) -> Slices {
        Slices { rows, row: row.next_multiple_of(LANES) }
    }

    /// Distance between matrices. The odd vector keeps their elements out of each other's cache lines.
    pub fn slice(&self) -> usize {
        (self.rows * self.row).next_multiple_of(2 * LANES) + LANES
    }

    pub fn len(&self) -> usize {
        POINTS * self.slice()
    }
}

/// A block of at most [`BLOCK`] tiles, and where its transforms lie: from column (or row) `at` of each matrix on.
#[derive(Clone, Debug)]
pub struct Part {
    pub tiles: Range<usize>,
    pub at: usize,
    pub layout: Slices,
}

impl Part {
    /// Columns of the block, in whole vectors.
    #[inline(always)]
    fn columns(&self) -> std::iter::StepBy<Range<usize>> {
        (0..self.tiles.len()).step_by(LANES)
    }
}

/// `f` of `I` vectors, lane by lane.
#[inline(always)]
fn along<R: Real, const I: usize, const O: usize>(
    f: impl Fn([R; I]) -> [R; O],
    from: [&Lanes<R>; I],
) -> [Lanes<R>; O] {
    let mut to = [[R::zero(); LANES]; O];
    for lane in 0..LANES {
        let values = f(std::array::from_fn(|i| from[i][lane]));
        for o in 0..O {
            to[o][lane] = values[o];
        }
    }
    to
}

/// `f` down the columns of `I×I` vectors and along the rows of the result.
#[inline(always)]
fn both<'a, R: Real, const I: usize, const O: usize>(
    f: impl Fn([R; I]) -> [R; O],
    from: impl Fn(usize, usize) -> &'a Lanes<R>,
    mut put: impl FnMut(usize, usize, &Lanes<R>),
) {
    let mut half = [[[R::zero(); LANES]; I]; O];
    for column in 0..I {
        let values = along(&f, std::array::from_fn(|row| from(row, column)));
        for row in 0..O {
            half[row][column] = values[row];
        }
    }
    for (row, half) in half.iter().enumerate() {
        let values = along(&f, half.each_ref());
        for column in 0..O {
            put(row, column, &values[column]);
        }
    }
}

#[inline(always)]
fn lanes<R>(from: &[R]) -> &Lanes<R> {
    from.first_chunk().expect("a whole vector")
}

/// `out[j][s] = line[4s + j]`
#[inline(always)]
fn deinterleave<R: Real, const N: usize>(line: &[R], out: &mut [[R; BLOCK]; INPUTS], at: usize) {
    let line = &line[..OUTPUTS * N + 2];
    for (j, out) in out.iter_mut().enumerate() {
        let values: [R; N] = std::array::from_fn(|s| line[OUTPUTS * s + j]);
        out[at..at + N].copy_from_slice(&values);
    }
}

/// `BᵀxB` of a block of tiles for `channels` of images that lie `image` elements apart: `out (36, channels, tiles)`.
#[inline(always)]
pub fn input<R: Real, const FUSED: bool>(
    tiling: &Tiling,
    x: &[R],
    image: usize,
    part: &Part,
    channels: Range<usize>,
    out: &Output<R>,
) {
    let Part { tiles: block, at: offset, layout } = part;
    let [height, width] = tiling.size;
    let mut tiles = [[[R::zero(); BLOCK]; INPUTS]; INPUTS];
    let mut line = [R::zero(); OUTPUTS * BLOCK + 2];
    for channel in channels {
        for run in tiling.runs(block.clone()) {
            let plane = &x[run.image * image + channel * height * width..][..height * width];
            let length = OUTPUTS * run.len + 2;
            // Elements of the line that lie in the image, and where the first of them is there.
            let start = tiling.padding[1].saturating_sub(run.first[1]).min(length);
            let from = run.first[1] + start - tiling.padding[1].min(run.first[1] + start);
            let end = (start + width.saturating_sub(from)).min(length).max(start);
            line[..start].fill(R::zero());
            line[end..length].fill(R::zero());
            for (i, tiles) in tiles.iter_mut().enumerate() {
                let y = (run.first[0] + i).wrapping_sub(tiling.padding[0]);
                if y >= height {
                    tiles.iter_mut().for_each(|tiles| tiles[run.at..run.at + run.len].fill(R::zero()));
                    continue;
                }
                line[start..end].copy_from_slice(&plane[y * width + from..][..end - start]);
                let mut done = 0;
                while done < run.len {
                    let (line, at) = (&line[OUTPUTS * done..], run.at + done);
                    done += match run.len - done {
                        8.. => {
                            deinterleave::<R, 8>(line, tiles, at);
                            8
                        }
                        4.. => {
                            deinterleave::<R, 4>(line, tiles, at);
                            4
                        }
                        2.. => {
                            deinterleave::<R, 2>(line, tiles, at);
                            2
                        }
                        _ => {
                            deinterleave::<R, 1>(line, tiles, at);
                            1
                        }
                    };
                }
            }
        }
        for first in part.columns() {
            both(
                points::input::<R, FUSED>,
                |row, column| lanes(&tiles[row][column][first..]),
                |row, column, values| {
                    let at = (row * INPUTS + column) * layout.slice() + channel * layout.row + offset + first;
                    // SAFETY: the caller gives every channel of a block to one thread.
                    unsafe { out.slice(at..at + LANES) }.copy_from_slice(values);
                },
            );
        }
    }
}

/// `GwGᵀ` of rows `rows` of `w (rows, channels, 3, 3)`, turned round or not: `out (36, rows, channels)`.
#[inline(always)]
pub fn weight<R: Real, const FUSED: bool>(
    w: &[R],
    rows: Range<usize>,
    channels: usize,
    turned: bool,
    layout: Slices,
    out: &Output<R>,
) {
    let mut taps = [[R::zero(); LANES]; 9];
    for row in rows {
        for first in (0..channels).step_by(LANES) {
            let w = &w[(row * channels + first) * 9..][..9 * LANES.min(channels - first)];
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
                |row, column| &taps[row * 3 + column],
                |i, j, values| {
                    let at = (i * INPUTS + j) * layout.slice() + row * layout.row + first;
                    // SAFETY: the caller gives every row to one thread.
                    unsafe { out.slice(at..at + LANES) }.copy_from_slice(values);
                },
            );
        }
    }
}

/// `AᵀMA` of a block of tiles, `products (36, channels, tiles)`, written to planes `channels` of `out` from channel `first` on. Images
/// lie `image` elements apart.
#[inline(always)]
pub fn output<R: Real, const FUSED: bool>(
    tiling: &Tiling,
    products: &[R],
    part: &Part,
    channels: Range<usize>,
    image: usize,
    out: &Output<R>,
) {
    let Part { tiles: block, layout, .. } = part;
    let [height, width] = tiling.outputs;
    let mut tiles = [[[R::zero(); BLOCK]; OUTPUTS]; OUTPUTS];
    let mut line = [R::zero(); OUTPUTS * BLOCK];
    for (index, channel) in channels.enumerate() {
        for first in part.columns() {
            let products = &products[index * layout.row + first..];
            both(
                points::output::<R, FUSED>,
                |row, column| lanes(&products[(row * INPUTS + column) * layout.slice()..]),
                |row, column, values| tiles[row][column][first..first + LANES].copy_from_slice(values),
            );
        }
        for run in tiling.runs(block.clone()) {
            let len = (OUTPUTS * run.len).min(width - run.first[1]);
            for (i, tiles) in tiles.iter().enumerate().take(height - run.first[0]) {
                let (chunks, _) = line.as_chunks_mut::<OUTPUTS>();
                for (s, to) in chunks[..run.len].iter_mut().enumerate() {
                    *to = std::array::from_fn(|j| tiles[j][run.at + s]);
                }
                let at = run.image * image + (channel * height + run.first[0] + i) * width + run.first[1];
                // SAFETY: the caller gives every channel of a block to one thread.
                unsafe { out.slice(at..at + len) }.copy_from_slice(&line[..len]);
            }
        }
    }
}

/// `AgAᵀ` of a block of tiles for sixteen channels from each of `channels` on, of images of `count` planes: `out (36, tiles, count)`.
#[inline(always)]
pub fn gradient<R: Real, const FUSED: bool>(
    tiling: &Tiling,
    g: &[R],
    count: usize,
    part: &Part,
    channels: Range<usize>,
    out: &Output<R>,
) {
    let Part { tiles: block, at: offset, layout } = part;
    let [height, width] = tiling.outputs;
    let mut tile = [[[R::zero(); LANES]; OUTPUTS]; OUTPUTS];
    for first in channels.step_by(LANES) {
        for run in tiling.runs(block.clone()) {
            for s in 0..run.len {
                let [y, x] = [run.first[0], run.first[1] + s * OUTPUTS];
                let (rows, columns) = (OUTPUTS.min(height - y), OUTPUTS.min(width - x));
                if rows.min(columns) < OUTPUTS || count - first < LANES {
                    tile.as_flattened_mut().as_flattened_mut().fill(R::zero());
                }
                for lane in 0..LANES.min(count - first) {
                    let plane = &g[((run.image * count + first + lane) * height + y) * width + x..];
                    for row in 0..rows {
                        let from = &plane[row * width..];
                        if columns == OUTPUTS {
                            let from: &[R; OUTPUTS] = from.first_chunk().expect("a row of a tile");
                            for column in 0..OUTPUTS {
                                tile[row][column][lane] = from[column];
                            }
                        } else {
                            for column in 0..columns {
                                tile[row][column][lane] = from[column];
                            }
                        }
                    }
                }
                both(
                    points::gradient::<R, FUSED>,
                    |row, column| &tile[row][column],
                    |i, j, values| {
                        let at =
                            (i * INPUTS + j) * layout.slice() + (offset + run.at + s) * layout.row + first;
                        // SAFETY: the caller gives every channel of a block to one thread.
                        unsafe { out.slice(at..at + LANES) }.copy_from_slice(values);
                    },
                );
            }
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
    let mut taps = [[R::zero(); LANES]; 9];
    for first in outputs.clone().step_by(LANES) {
        for (index, channel) in channels.clone().enumerate() {
            let products = &products[index * layout.row + first - outputs.start..];
            both(
                points::weight_gradient::<R, FUSED>,
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
