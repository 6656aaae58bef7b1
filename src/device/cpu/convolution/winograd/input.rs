//! Transformed tiles of the input.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use fearless_simd::Simd;

use super::{
    points,
    tiles::{INPUTS, LANES, OUTPUTS, Run, Tiling},
    transforms::{Part, both},
};
use crate::device::cpu::{
    memory::{output::Output, prefetch::prefetch},
    vectors::{LONGEST, Real, first, len, put, shuffle::by_fours, vectorized},
};

/// Tiles of a group, and as many more as a vector has that begins at the last of them.
const ROOM: usize = LANES + LONGEST;

vectorized! {
    /// `BᵀxB` of a group of tiles for `channels` of images that lie `image` elements apart: 36 matrices `(channels, tiles)`.
    pub(crate) fn input(
        tiling: &Tiling, x: &[R], image: usize, part: &Part, channels: Range<usize>, out: &Output<R>
    ) = input_loop;
}

#[inline(always)]
fn input_loop<S: Simd, R: Real>(
    simd: S,
    tiling: &Tiling,
    x: &[R],
    image: usize,
    part: &Part,
    channels: Range<usize>,
    out: &Output<R>,
) {
    let Part { tiles: group, at: offset, layout, .. } = part;
    let [height, width] = tiling.size;
    let (plane_len, vector) = (height * width, len::<S, R>());
    // Row i of all tiles, four elements each, then elements i, 4 and i, 5 of the last tile of every run. They are read long after
    // they are written, so that no load waits for a store of another width.
    let mut lines = [[R::zero(); OUTPUTS * ROOM]; INPUTS];
    let mut ends = [[[R::zero(); 2]; LANES]; INPUTS];
    let mut tiles = [[[R::zero(); ROOM]; INPUTS]; INPUTS];
    let mut spans = [Span::default(); LANES];
    let mut count = 0;
    for (span, run) in spans.iter_mut().zip(tiling.runs(group.clone())) {
        *span = Span::new(tiling, run);
        count += 1;
    }
    let spans = &spans[..count];
    let lanes = group.len().next_multiple_of(vector);
    for channel in channels {
        for (index, Span { run, start, end, from }) in spans.iter().copied().enumerate() {
            let (plane, next) = x[run.image * image + channel * plane_len..].split_at(plane_len);
            let (at, length) = (OUTPUTS * run.at, OUTPUTS * run.len);
            for (i, (line, ends)) in lines.iter_mut().zip(&mut ends).enumerate() {
                let line = &mut line[at..];
                let y = (run.first[0] + i).wrapping_sub(tiling.padding[0]);
                if y >= height {
                    line[..length].fill(R::zero());
                    ends[index] = [R::zero(); 2];
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
                ends[index] = std::array::from_fn(|j| {
                    let x = from + length + j - start;
                    if x < width { row[x] } else { R::zero() }
                });
            }
        }
        for (line, tiles) in lines.iter().zip(&mut tiles) {
            for at in (0..lanes).step_by(vector) {
                let columns = by_fours::<S, R>(simd, &line[OUTPUTS * at..]);
                for j in 0..OUTPUTS {
                    put::<S, R>(columns[j], &mut tiles[j][at..]);
                }
            }
        }
        // The last two columns of a tile are the next one's first two.
        for (tiles, ends) in tiles.iter_mut().zip(&ends) {
            let (own, next) = tiles.split_at_mut(OUTPUTS);
            for (j, (next, own)) in next.iter_mut().zip(own.iter()).enumerate() {
                for at in (0..lanes).step_by(vector) {
                    put::<S, R>(first(simd, &own[at + 1..]), &mut next[at..]);
                }
                for (Span { run, .. }, ends) in spans.iter().zip(ends) {
                    next[run.at + run.len - 1] = ends[j];
                }
            }
        }
        for at in (0..lanes).step_by(vector) {
            both::<S, R, _, _>(
                simd,
                #[inline(always)]
                |values| points::input::<S, R>(values),
                #[inline(always)]
                |row, column| first(simd, &tiles[row][column][at..]),
                #[inline(always)]
                |row, column, value| {
                    let at = (row * INPUTS + column) * layout.slice() + channel * layout.row + offset + at;
                    // SAFETY: the caller gives every channel of a group to one thread.
                    unsafe { out.put::<S>(at, value) };
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
