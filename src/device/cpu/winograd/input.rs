//! Transformed tiles of the input.

use std::ops::Range;

use super::{
    points,
    tiles::{BLOCK, INPUTS, LANES, OUTPUTS, Run, Tiling},
    transforms::{Part, both, by_fours, lanes},
};
use crate::device::cpu::{gemm::Output, real::Real};

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
    let mut tiles = [[[R::zero(); BLOCK + LANES]; INPUTS]; INPUTS];
    let mut spans = [Span::default(); BLOCK];
    let mut count = 0;
    for (span, run) in spans.iter_mut().zip(tiling.runs(block.clone())) {
        *span = Span::new(tiling, run);
        count += 1;
    }
    let spans = &spans[..count];
    for channel in channels {
        for (index, Span { run, start, end, from }) in spans.iter().copied().enumerate() {
            let plane = &x[run.image * image + channel * height * width..][..height * width];
            let (at, length) = (OUTPUTS * run.at, OUTPUTS * run.len);
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
            let (own, next) = tiles.split_at_mut(OUTPUTS);
            for first in part.columns() {
                for (own, values) in own.iter_mut().zip(by_fours(&line[OUTPUTS * first..])) {
                    own[first..first + LANES].copy_from_slice(&values);
                }
            }
            // The last two columns of a tile are the next one's first two.
            for first in part.columns() {
                for (next, own) in next.iter_mut().zip(own.iter()) {
                    next[first..first + LANES].copy_from_slice(&own[first + 1..][..LANES]);
                }
            }
        }
        for (index, Span { run, .. }) in spans.iter().enumerate() {
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
