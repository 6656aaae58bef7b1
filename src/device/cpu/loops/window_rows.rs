//! Rows of windows that lie side by side, as vectors of their elements.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use fearless_simd::{Simd, SimdBase};

use crate::device::cpu::vectors::{Real, V, first, len, made_of, put, splat};

/// Elements `i` of every window: `to[kx][i] = row[K·i + kx]`, zeros after the last.
#[inline(always)]
pub(crate) fn columns<S: Simd, R: Real, const K: usize>(simd: S, row: &[R]) -> [V<S, R>; K] {
    let width = len::<S, R>();
    if K == 2 && row.len() >= 2 * width {
        let (even, odd) = first::<S, R>(simd, row).deinterleave(first::<S, R>(simd, &row[width..]));
        let mut columns = [even; K];
        columns[1] = odd;
        return columns;
    }
    let mut columns = [splat::<S, R>(simd, R::zero()); K];
    for kx in 0..K {
        columns[kx] = made_of::<S, R>(simd, |i| row.get(K * i + kx).copied().unwrap_or(R::zero()));
    }
    columns
}

/// The inverse of [`columns`], as far as the row reaches.
#[inline(always)]
pub(crate) fn put_columns<S: Simd, R: Real, const K: usize>(columns: [V<S, R>; K], row: &mut [R]) {
    let width = len::<S, R>();
    if K == 2 && row.len() >= 2 * width {
        let (low, high) = columns[0].interleave(columns[1]);
        put::<S, R>(low, row);
        return put::<S, R>(high, &mut row[width..]);
    }
    for (i, to) in row.as_chunks_mut::<K>().0.iter_mut().enumerate().take(width) {
        for kx in 0..K {
            to[kx] = columns[kx][i];
        }
    }
}

/// A vector of numbers, and zeros after the last.
#[inline(always)]
pub(crate) fn some<S: Simd, R: Real>(simd: S, from: &[R]) -> V<S, R> {
    match from.len() >= len::<S, R>() {
        true => first(simd, from),
        false => made_of::<S, R>(simd, |i| from.get(i).copied().unwrap_or(R::zero())),
    }
}

/// As many numbers of a vector as there is room for.
#[inline(always)]
pub(crate) fn put_some<S: Simd, R: Real>(value: V<S, R>, to: &mut [R]) {
    match to.len() >= len::<S, R>() {
        true => put::<S, R>(value, to),
        false => to.iter_mut().enumerate().for_each(|(i, to)| *to = value[i]),
    }
}

/// The elements of some windows.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    start: usize,
    len: usize,
    width: usize,
}

impl Rows {
    /// Those in the windows' row `ky`.
    #[inline(always)]
    pub(crate) fn of(&self, ky: usize) -> Range<usize> {
        let start = self.start + ky * self.width;
        start..start + self.len
    }
}

/// Calls `body` with the windows `at` of every row of planes of `[height, width]`, a vector of them or fewer, and their elements in the rows of the planes.
#[inline(always)]
pub(crate) fn each<S: Simd, R: Real, const K: usize>(
    [height, width]: [usize; 2],
    mut body: impl FnMut(Range<usize>, Rows),
) {
    let (oh, ow) = (height / K, width / K);
    for oy in 0..oh {
        for ox in (0..ow).step_by(len::<S, R>()) {
            let count = len::<S, R>().min(ow - ox);
            let rows = Rows { start: oy * K * width + ox * K, len: count * K, width };
            body(oy * ow + ox..oy * ow + ox + count, rows);
        }
    }
}

/// Zeros where no window reaches: to the right of them and below.
#[inline(always)]
pub(crate) fn clear_rest<R: Real>([height, width]: [usize; 2], side: usize, out: &mut [R]) {
    let (oh, ow) = (height / side, width / side);
    let (inside, below) = out.split_at_mut(oh * side * width);
    below.fill(R::zero());
    if ow * side < width {
        inside.chunks_mut(width).for_each(|row| row[ow * side..].fill(R::zero()));
    }
}
