//! Transformed tiles of the input.

use std::ops::Range;

use super::{
    points,
    tiles::{INPUTS, LANES, OUTPUTS, ROWS, Run, Tiling},
    transforms::{Part, both, by_fours, lanes},
};
use crate::device::cpu::{gemm::Output, prefetch::prefetch, real::Real};

/// `BᵀxB` of a group of tiles for `channels` of images that lie `image` elements apart: 36 matrices `(channels, tiles)`, row by row or,
/// `in_panels`, in panels of four rows.
#[inline(always)]
pub fn input<R: Real, const FUSED: bool>(
    tiling: &Tiling,
    x: &[R],
    image: usize,
    part: &Part,
    channels: Range<usize>,
    in_panels: bool,
    out: &Output<R>,
) {
    if in_panels {
        transform::<R, ROWS, { (ROWS + 1) * LANES }, FUSED>(tiling, x, image, part, channels, out);
    } else {
        transform::<R, 1, { 2 * LANES }, FUSED>(tiling, x, image, part, channels, out);
    }
}

/// `SIDE` channels at a time: lane `s·SIDE + c` is tile s of channel c. `LEN` is a group's lanes and a vector more.
#[inline(always)]
fn transform<R: Real, const SIDE: usize, const LEN: usize, const FUSED: bool>(
    tiling: &Tiling,
    x: &[R],
    image: usize,
    part: &Part,
    channels: Range<usize>,
    out: &Output<R>,
) {
    let Part { tiles: group, at: offset, layout, .. } = part;
    let [height, width] = tiling.size;
    let mut half = [[[R::zero(); LANES]; INPUTS]; INPUTS];
    // Row i of all tiles, four elements each, then elements i, 4 and i, 5 of the last tile of every run. They are read long after
    // they are written, so that no load waits for a store of another width.
    let mut lines = [[[R::zero(); OUTPUTS * LANES + LANES]; INPUTS]; SIDE];
    let mut ends = [[[[R::zero(); 2]; LANES]; INPUTS]; SIDE];
    let mut tiles = [[[R::zero(); LEN]; INPUTS]; INPUTS];
    let mut spans = [Span::default(); LANES];
    let mut count = 0;
    for (span, run) in spans.iter_mut().zip(tiling.runs(group.clone())) {
        *span = Span::new(tiling, run);
        count += 1;
    }
    let spans = &spans[..count];
    let vectors = (group.len() * SIDE).div_ceil(LANES);
    for first in channels.clone().step_by(SIDE) {
        for (side, channel) in (first..channels.end.min(first + SIDE)).enumerate() {
            for (index, Span { run, start, end, from }) in spans.iter().copied().enumerate() {
                let (plane, next) =
                    x[run.image * image + channel * height * width..].split_at(height * width);
                let (at, length) = (OUTPUTS * run.at, OUTPUTS * run.len);
                for (i, line) in lines[side].iter_mut().enumerate() {
                    let line = &mut line[at..];
                    let y = (run.first[0] + i).wrapping_sub(tiling.padding[0]);
                    if y >= height {
                        line[..length].fill(R::zero());
                        ends[side][i][index] = [R::zero(); 2];
                        continue;
                    }
                    let row = &plane[y * width..];
                    copy_row(&row[from..], &mut line[start..], end - start);
                    // The same row of the next channel, too far on for the processor to guess.
                    let row_at = y * width + from;
                    prefetch(next.get(row_at..row_at + end - start).unwrap_or_default());
                    for zero in &mut line[..start] {
                        *zero = R::zero();
                    }
                    for zero in &mut line[end..length] {
                        *zero = R::zero();
                    }
                    ends[side][i][index] = std::array::from_fn(|j| {
                        let x = from + length + j - start;
                        if x < width { row[x] } else { R::zero() }
                    });
                }
            }
        }
        for (i, tiles) in tiles.iter_mut().enumerate() {
            let (own, next) = tiles.split_at_mut(OUTPUTS);
            for at in (0..vectors * LANES).step_by(LANES) {
                let values = by_fours(|lane| {
                    let (tile, side) = ((at + lane) / SIDE, (at + lane) % SIDE);
                    lines[side][i][OUTPUTS * tile..].first_chunk().expect("four elements")
                });
                for (own, values) in own.iter_mut().zip(values) {
                    own[at..at + LANES].copy_from_slice(&values);
                }
            }
            // The last two columns of a tile are the next one's first two.
            for at in (0..vectors * LANES).step_by(LANES) {
                for (next, own) in next.iter_mut().zip(own.iter()) {
                    next[at..at + LANES].copy_from_slice(&own[at + SIDE..][..LANES]);
                }
            }
        }
        for (side, ends) in ends.iter().enumerate() {
            for (index, Span { run, .. }) in spans.iter().enumerate() {
                for (tiles, ends) in tiles.iter_mut().zip(ends) {
                    for j in 0..2 {
                        tiles[OUTPUTS + j][(run.at + run.len - 1) * SIDE + side] = ends[index][j];
                    }
                }
            }
        }
        for at in (0..vectors * LANES).step_by(LANES) {
            both(
                points::input::<R, FUSED>,
                &mut half,
                |row, column| lanes(&tiles[row][column][at..]),
                |row, column, values| {
                    let at = first / SIDE * layout.row + offset * SIDE + at;
                    let at = (row * INPUTS + column) * layout.slice() + at;
                    // SAFETY: the caller gives every channel of a group to one thread.
                    unsafe { out.put(at, values) };
                    out.prefetch(at + layout.row);
                },
            );
        }
    }
}

/// Where the elements of a run of tiles lie in a row of the image.
#[derive(Clone, Copy, Default)]
struct Span {
    run: Run,
    /// Elements `start..end` of the run lie in the image, from element `from` of its row on.
    start: usize,
    end: usize,
    from: usize,
}

impl Span {
    #[inline(always)]
    fn new(tiling: &Tiling, run: Run) -> Span {
        let start = tiling.padding[1].saturating_sub(run.first[1]);
        let from = run.first[1] + start - tiling.padding[1];
        let end = (start + tiling.size[1] - from).min(OUTPUTS * run.len);
        Span { run, start, end, from }
    }
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
