//! What the transforms of F(4×4, 3×3) share: sixteen tiles at a time.
//!
//! Like the loops of `lanes`, they are inlined into functions that exist once for each instruction set. The input's and the output's
//! take neighbouring tiles side by side, the weights' and their gradient's neighbouring channels.

use std::ops::Range;

use super::{
    products::Panels,
    tiles::{INPUTS, LANES, OUTPUTS, POINTS},
};
use crate::device::cpu::{prefetch::prefetch, real::Real};

pub type Lanes<R> = [R; LANES];

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

    /// The matrix at `point` from panel `first` on, where its rows are panels.
    pub fn panels<'a, R>(&self, data: &'a [R], point: usize, first: usize) -> Panels<'a, R> {
        Panels { data: &data[point * self.slice() + first * self.row..], stride: self.row }
    }
}

/// A group of at most [`LANES`] tiles, and where their transforms lie: from tile `at` of the layout on.
#[derive(Clone, Debug)]
pub struct Part {
    pub tiles: Range<usize>,
    pub at: usize,
    pub layout: Slices,
    /// Whether outputs are added to what is there.
    pub add: bool,
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
pub type Half<R> = [[Lanes<R>; INPUTS]; INPUTS];

/// `f` down the columns of `I×I` vectors and along the rows of the result, by way of `half`.
// Indices, not iterators: so the compiler keeps the vectors in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
pub fn both<'a, R: Real, const I: usize, const O: usize>(
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
pub fn lanes<R>(from: &[R]) -> &Lanes<R> {
    from.first_chunk().expect("a whole vector")
}

/// The first vector of a row of products, which come first in `products`, at point `(i, j)`; asks for the next row's.
#[inline(always)]
pub fn product_lanes<R>(products: &[R], layout: Slices, i: usize, j: usize) -> &Lanes<R> {
    let products = &products[(i * INPUTS + j) * layout.slice()..];
    prefetch(products.get(layout.row..layout.row + LANES).unwrap_or_default());
    lanes(products)
}

/// `out[j][4g + r] = row(4g + r)[j]`: rows of four as columns.
#[inline(always)]
pub fn by_fours<'a, R: Real>(row: impl Fn(usize) -> &'a [R; OUTPUTS]) -> [Lanes<R>; OUTPUTS] {
    let mut out = [[R::zero(); LANES]; OUTPUTS];
    for first in (0..LANES).step_by(OUTPUTS) {
        let rows = R::transposed(&std::array::from_fn(|r| *row(first + r)));
        for (out, values) in out.iter_mut().zip(rows) {
            out[first..first + OUTPUTS].copy_from_slice(&values);
        }
    }
    out
}
