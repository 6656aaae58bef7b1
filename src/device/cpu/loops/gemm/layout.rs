//! Where the tiles of a product go.

use std::ops::Range;

use super::COLS;
use crate::device::cpu::{memory::output::Output, vectors::Real};

/// Element `(i, j)` of C is at `offset + i·row + (j mod period)·col + ⌊j / period⌋·image`, where row or col is 1
/// and no two elements share an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub offset: usize,
    pub row: usize,
    pub col: usize,
    pub period: usize,
    pub image: usize,
    /// Add to what is there.
    pub add: bool,
}

impl Layout {
    /// Row-major with `cols` columns.
    pub(crate) fn row_major(offset: usize, cols: usize) -> Self {
        Layout { offset, row: cols, col: 1, period: usize::MAX, image: 0, add: false }
    }

    /// The transpose of a row-major matrix with `rows` columns.
    pub(crate) fn transposed(offset: usize, rows: usize) -> Self {
        Layout { offset, row: 1, col: rows, period: usize::MAX, image: 0, add: false }
    }

    /// `(rows, image·positions)`, stored as planes `(image, rows, positions)`.
    pub(crate) fn planes(offset: usize, positions: usize, image: usize) -> Self {
        Layout { offset, row: positions, col: 1, period: positions, image, add: false }
    }

    /// Whether all its columns lie side by side, or in images of whole panels.
    pub(crate) fn is_regular(&self, cols: usize) -> bool {
        self.col == 1 && (self.period >= cols || self.period == COLS)
    }

    /// The first element of a tile whose rows are contiguous each, or in sixteens that are equally far apart, and that distance.
    pub(crate) fn panels_at(&self, rows: &Range<usize>, cols: &Range<usize>) -> Option<(usize, usize)> {
        let (image, within) = (cols.start / self.period, cols.start % self.period);
        let first = self.offset + image * self.image + within + rows.start * self.row;
        if self.col != 1 || rows.is_empty() {
            None
        } else if self.period - within >= cols.len() {
            Some((first, COLS))
        } else {
            (self.period == COLS && within == 0).then_some((first, self.image))
        }
    }

    /// Stores a tile `(rows, nr)` at `(i, j)`, or adds it.
    ///
    /// # Safety
    /// No other thread may use the elements `rows × cols` of C meanwhile.
    pub(crate) unsafe fn store<R: Real>(
        &self,
        out: &Output<R>,
        rows: Range<usize>,
        cols: Range<usize>,
        tile: &[R],
        nr: usize,
        add: bool,
    ) {
        if self.col == 1 {
            let mut j = cols.start;
            while j < cols.end {
                let (image, within) = (j / self.period, j % self.period);
                let len = (self.period - within).min(cols.end - j);
                let first = self.offset + image * self.image + within;
                for i in rows.clone() {
                    let at = first + i * self.row;
                    // SAFETY: elements of this tile, which no other thread uses.
                    let to = unsafe { out.slice(at..at + len) };
                    let from = &tile[(i - rows.start) * nr + j - cols.start..][..len];
                    put(to, from.iter(), add);
                }
                j += len;
            }
        } else {
            for j in cols.clone() {
                let at = self.offset + rows.start + j % self.period * self.col + j / self.period * self.image;
                // SAFETY: as above; rows are contiguous.
                let to = unsafe { out.slice(at..at + rows.len()) };
                put(to, tile[j - cols.start..].iter().step_by(nr), add);
            }
        }
    }
}

fn put<'a, R: Real>(to: &mut [R], from: impl Iterator<Item = &'a R>, add: bool) {
    if add {
        to.iter_mut().zip(from).for_each(|(to, &value)| *to += value);
    } else {
        to.iter_mut().zip(from).for_each(|(to, &value)| *to = value);
    }
}
