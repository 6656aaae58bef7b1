//! What the transforms of F(4×4, 3×3) share: sixteen tiles at a time.
//!
//! The input's and the output's take neighbouring tiles side by side, the weights' and their gradient's neighbouring channels.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use fearless_simd::Simd;

use super::tiles::{INPUTS, LANES, POINTS};
use crate::device::cpu::{
    loops::gemm::Block,
    memory::prefetch::prefetch_line,
    vectors::{Real, V, first, splat},
};

/// `POINTS` matrices of rows of `row` elements, `slice` elements apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slices {
    pub rows: usize,
    pub row: usize,
}

impl Slices {
    /// `row` is rounded up to whole vectors.
    pub(crate) fn new(rows: usize, row: usize) -> Slices {
        Slices { rows, row: row.next_multiple_of(LANES) }
    }

    /// Distance between matrices. The odd vector keeps their elements out of each other's cache lines.
    pub(crate) fn slice(&self) -> usize {
        (self.rows * self.row).next_multiple_of(2 * LANES) + LANES
    }

    pub(crate) fn len(&self) -> usize {
        POINTS * self.slice()
    }

    /// The rows of the matrix at `point`, from row `first` on.
    pub(crate) fn block<'a, R>(&self, data: &'a [R], point: usize, first: usize) -> Block<'a, R> {
        Block { data: &data[point * self.slice() + first * self.row..], row: self.row }
    }
}

/// A group of at most [`LANES`] tiles, and where their transforms lie: from tile `at` of the layout on.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub tiles: Range<usize>,
    pub at: usize,
    pub layout: Slices,
    /// Whether outputs are added to what is there.
    pub add: bool,
}

/// `f` down the columns of `I×I` vectors and along the rows of the result.
#[inline(always)]
pub(crate) fn both<S: Simd, R: Real, const I: usize, const O: usize>(
    simd: S,
    f: impl Fn([V<S, R>; I]) -> [V<S, R>; O],
    from: impl Fn(usize, usize) -> V<S, R>,
    mut put: impl FnMut(usize, usize, V<S, R>),
) {
    let mut half = [[splat::<S, R>(simd, R::zero()); I]; O];
    for column in 0..I {
        let mut values = [splat::<S, R>(simd, R::zero()); I];
        for row in 0..I {
            values[row] = from(row, column);
        }
        let values = f(values);
        for row in 0..O {
            half[row][column] = values[row];
        }
    }
    for row in 0..O {
        let values = f(half[row]);
        for column in 0..O {
            put(row, column, values[column]);
        }
    }
}

/// The vector from `at` on of a row of products, which come first in `products`, at point `(i, j)`; asks for the next row's.
#[inline(always)]
pub(crate) fn product<S: Simd, R: Real>(
    simd: S,
    products: &[R],
    layout: Slices,
    at: usize,
    [i, j]: [usize; 2],
) -> V<S, R> {
    let products = &products[(i * INPUTS + j) * layout.slice() + at..];
    if let Some(next) = products.get(layout.row) {
        prefetch_line(next);
    }
    first(simd, products)
}
