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

/// Tiles of g that are put in order together.
const GROUP: usize = 8;

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
    /// Whether outputs are added to what is there.
    pub add: bool,
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

/// Columns transformed, rows not yet.
type Half<R> = [[Lanes<R>; INPUTS]; INPUTS];

/// `f` down the columns of `I×I` vectors and along the rows of the result, by way of `half`.
// Indices, not iterators: so the compiler keeps the vectors in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn both<'a, R: Real, const I: usize, const O: usize>(
    f: impl Fn([R; I]) -> [R; O],
    half: &mut Half<R>,
    from: impl Fn(usize, usize) -> &'a Lanes<R>,
    mut put: impl FnMut(usize, usize, &Lanes<R>),
) {
    for column in 0..I {
        let values = along(&f, std::array::from_fn(|row| from(row, column)));
        for row in 0..O {
            half[row][column] = values[row];
        }
    }
    for (row, half) in half.iter().enumerate().take(O) {
        let values = along(&f, std::array::from_fn(|column| &half[column]));
        for column in 0..O {
            put(row, column, &values[column]);
        }
    }
}

#[inline(always)]
fn lanes<R>(from: &[R]) -> &Lanes<R> {
    from.first_chunk().expect("a whole vector")
}

/// `out[s] = line[4s]`
#[inline(always)]
fn every_fourth<R: Real>(line: &[R]) -> Lanes<R> {
    let line: &[R; 4 * LANES - 3] = line.first_chunk().expect("sixteen tiles");
    std::array::from_fn(|s| line[OUTPUTS * s])
}

/// Copies the first `len` elements of a row, and perhaps some more: lengths known to the compiler become a few vector moves.
#[inline(always)]
fn copy_row<R: Real>(from: &[R], to: &mut [R], len: usize) {
    #[inline(always)]
    fn copy<R: Real, const N: usize>(from: &[R], to: &mut [R]) -> bool {
        match (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
            (Some(from), Some(to)) => {
                *to = *from;
                true
            }
            _ => false,
        }
    }
    let done = match len.div_ceil(8) {
        1 => copy::<R, 8>(from, to),
        2 => copy::<R, 16>(from, to),
        3 => copy::<R, 24>(from, to),
        4 => copy::<R, 32>(from, to),
        _ => false,
    };
    if !done {
        to[..len].copy_from_slice(&from[..len]);
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
    let Part { tiles: block, at: offset, layout, .. } = part;
    let [height, width] = tiling.size;
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    // Row i of all tiles, four elements each, then elements i, 4 and i, 5 of the last tile of every run. They are read long after
    // they are written, so that no load waits for a store of another width.
    let mut lines = [[R::zero(); OUTPUTS * BLOCK + 2 * LANES]; INPUTS];
    let mut ends = [[[R::zero(); 2]; BLOCK]; INPUTS];
    let mut tiles = [[[R::zero(); BLOCK]; INPUTS]; INPUTS];
    for channel in channels {
        for (index, run) in tiling.runs(block.clone()).enumerate() {
            let plane = &x[run.image * image + channel * height * width..][..height * width];
            let (at, length) = (OUTPUTS * run.at, OUTPUTS * run.len);
            // Elements of the line that lie in the image, and where the first of them is there.
            let start = tiling.padding[1].saturating_sub(run.first[1]);
            let from = run.first[1] + start - tiling.padding[1];
            let end = (start + width - from).min(length);
            for (i, line) in lines.iter_mut().enumerate() {
                let line = &mut line[at..];
                let y = (run.first[0] + i).wrapping_sub(tiling.padding[0]);
                if y >= height {
                    line[..length].fill(R::zero());
                    ends[i][index] = [R::zero(); 2];
                    continue;
                }
                let row = &plane[y * width..];
                copy_row(&row[from..], &mut line[start..], end - start);
                for zero in &mut line[..start] {
                    *zero = R::zero();
                }
                for zero in &mut line[end..length] {
                    *zero = R::zero();
                }
                ends[i][index] = std::array::from_fn(|j| {
                    let x = from + length + j - start;
                    if x < width { row[x] } else { R::zero() }
                });
            }
        }
        for (line, tiles) in lines.iter().zip(&mut tiles) {
            for first in part.columns() {
                for (j, tiles) in tiles.iter_mut().enumerate() {
                    *tiles[first..].first_chunk_mut().expect("a whole vector") =
                        every_fourth(&line[OUTPUTS * first + j..]);
                }
            }
        }
        for (index, run) in tiling.runs(block.clone()).enumerate() {
            for (tiles, ends) in tiles.iter_mut().zip(&ends) {
                for j in 0..2 {
                    tiles[OUTPUTS + j][run.at + run.len - 1] = ends[index][j];
                }
            }
        }
        for first in part.columns() {
            both(
                points::input::<R, FUSED>,
                &mut half,
                |row, column| lanes(&tiles[row][column][first..]),
                |row, column, values| {
                    let at = (row * INPUTS + column) * layout.slice() + channel * layout.row + offset + first;
                    // SAFETY: the caller gives every channel of a block to one thread.
                    unsafe { out.put(at, values) };
                },
            );
        }
    }
}

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
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    let mut tiles = [[[R::zero(); BLOCK]; OUTPUTS]; OUTPUTS];
    for (index, channel) in channels.enumerate() {
        for first in part.columns() {
            let products = &products[index * layout.row + first..];
            both(
                points::output::<R, FUSED>,
                &mut half,
                |row, column| lanes(&products[(row * INPUTS + column) * layout.slice()..]),
                |row, column, values| tiles[row][column][first..first + LANES].copy_from_slice(values),
            );
        }
        for run in tiling.runs(block.clone()) {
            let len = (OUTPUTS * run.len).min(width - run.first[1]);
            for (i, tiles) in tiles.iter().enumerate().take(height - run.first[0]) {
                let at = run.image * image + (channel * height + run.first[0] + i) * width + run.first[1];
                // SAFETY: the caller gives every channel of a block to one thread.
                let row = unsafe { out.slice(at..at + len) };
                let (chunks, rest) = row.as_chunks_mut::<OUTPUTS>();
                let mut done = 0;
                while done < chunks.len() {
                    let (chunks, at) = (&mut chunks[done..], run.at + done);
                    done += match chunks.len() {
                        8.. => interleave::<R, 8>(tiles, at, chunks, part.add),
                        4.. => interleave::<R, 4>(tiles, at, chunks, part.add),
                        2.. => interleave::<R, 2>(tiles, at, chunks, part.add),
                        _ => interleave::<R, 1>(tiles, at, chunks, part.add),
                    };
                }
                for (j, to) in rest.iter_mut().enumerate() {
                    let value = tiles[j][run.at + done];
                    *to = if part.add { *to + value } else { value };
                }
            }
        }
    }
}

/// `out[s][j] = tiles[j][at + s]`, or added to it, N times; returns N.
#[inline(always)]
fn interleave<R: Real, const N: usize>(
    tiles: &[[R; BLOCK]; OUTPUTS],
    at: usize,
    out: &mut [[R; OUTPUTS]],
    add: bool,
) -> usize {
    let out: &mut [[R; OUTPUTS]; N] = out.first_chunk_mut().expect("N tiles");
    let tiles: [&[R; N]; OUTPUTS] =
        std::array::from_fn(|j| tiles[j][at..].first_chunk().expect("tiles of the block"));
    if add {
        *out = std::array::from_fn(|s| std::array::from_fn(|j| out[s][j] + tiles[j][s]));
    } else {
        *out = std::array::from_fn(|s| std::array::from_fn(|j| tiles[j][s]));
    }
    N
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
    let Part { tiles: block, at: offset, layout, .. } = part;
    let [height, width] = tiling.outputs;
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    // Rows of the tiles of a group, four elements of each channel. As in `input`, they are read long after they are written.
    let mut rows = [[[[R::zero(); OUTPUTS]; LANES]; OUTPUTS]; GROUP];
    let mut tile = [[[R::zero(); LANES]; OUTPUTS]; OUTPUTS];
    for first in channels.step_by(LANES) {
        for run in tiling.runs(block.clone()) {
            for group in (0..run.len).step_by(GROUP) {
                let tiles = GROUP.min(run.len - group);
                for lane in 0..LANES.min(count - first) {
                    let plane = &g[(run.image * count + first + lane) * height * width..][..height * width];
                    for row in 0..OUTPUTS {
                        let y = run.first[0] + row;
                        let line = if y < height { &plane[y * width..][..width] } else { &[] };
                        for (s, rows) in rows[..tiles].iter_mut().enumerate() {
                            let x = run.first[1] + (group + s) * OUTPUTS;
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
                        for (column, lanes) in tile.iter_mut().enumerate() {
                            *lanes = every_fourth(&rows.as_flattened()[column..]);
                        }
                    }
                    both(
                        points::gradient::<R, FUSED>,
                        &mut half,
                        |row, column| &tile[row][column],
                        |i, j, values| {
                            let at = (offset + run.at + group + s) * layout.row + first;
                            let at = (i * INPUTS + j) * layout.slice() + at;
                            // SAFETY: the caller gives every channel of a block to one thread.
                            unsafe { out.put(at, values) };
                        },
                    );
                }
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
