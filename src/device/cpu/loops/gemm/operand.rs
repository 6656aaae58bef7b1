//! Where the operands of a product come from.

use std::ops::Range;

use super::COLS;
use crate::device::cpu::vectors::Real;

/// A matrix whose blocks can be written out, wherever its elements come from.
pub(crate) trait Operand<R>: Sync {
    /// Writes element `(r, c)` of the block to `out[(r − rows.start)·ld + c − cols.start]`.
    fn copy(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize);

    /// Writes element `(r, c)` of the block to `out[(c − cols.start)·ld + r − rows.start]`.
    fn copy_transposed(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize);

    /// As [`Operand::copy`] of the transposed block, rows side by side, if that is how it is better copied; else false, and
    /// nothing is done.
    fn copy_turned(&self, _cols: Range<usize>, _rows: Range<usize>, _out: &mut [R]) -> bool {
        false
    }

    /// The block where it is stored, if it can be read there: from its first element on, and the distances between
    /// its rows and between its columns.
    fn borrow(&self, _rows: Range<usize>, _cols: Range<usize>) -> Option<(&[R], [usize; 2])> {
        None
    }
}

/// The transpose of an operand.
pub(crate) struct Transposed<S>(pub S);

impl<R, S: Operand<R>> Operand<R> for Transposed<S> {
    fn copy(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        self.0.copy_transposed(cols, rows, out, ld);
    }

    fn copy_transposed(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        self.0.copy(cols, rows, out, ld);
    }

    fn copy_turned(&self, cols: Range<usize>, rows: Range<usize>, out: &mut [R]) -> bool {
        let row = rows.len();
        self.0.copy(cols, rows, out, row);
        true
    }

    fn borrow(&self, rows: Range<usize>, cols: Range<usize>) -> Option<(&[R], [usize; 2])> {
        self.0.borrow(cols, rows).map(|(data, [row, col])| (data, [col, row]))
    }
}

/// Element `(r, c)` is `data[r·row + (c mod period)·col + ⌊c / period⌋·image]`: a strided matrix, or the
/// planes of several images side by side.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a, R> {
    pub data: &'a [R],
    pub row: usize,
    pub col: usize,
    pub period: usize,
    pub image: usize,
}

impl<'a, R> Strided<'a, R> {
    pub(crate) fn matrix(data: &'a [R], row: usize, col: usize) -> Self {
        Strided { data, row, col, period: usize::MAX, image: 0 }
    }

    /// Planes `(image, rows, positions)` as `(rows, image·positions)`; images are `image` elements apart.
    pub(crate) fn planes(data: &'a [R], positions: usize, image: usize) -> Self {
        Strided { data, row: positions, col: 1, period: positions, image }
    }

    /// Cuts columns at the ends of images: position in the block, address in row 0, length.
    fn pieces(&self, cols: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> + use<'_, R> {
        let mut next = cols.start;
        std::iter::from_fn(move || {
            if next >= cols.end {
                return None;
            }
            let (image, within) = (next / self.period, next % self.period);
            let len = (self.period - within).min(cols.end - next);
            let piece = (next - cols.start, image * self.image + within * self.col, len);
            next += len;
            Some(piece)
        })
    }
}

impl<R: Real> Operand<R> for Strided<'_, R> {
    fn copy(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        for (at, address, len) in self.pieces(cols) {
            if self.col == 1 && len == COLS {
                let from = &self.data[address + rows.start * self.row..];
                copy_rows::<R, COLS>(rows.len(), from, self.row, &mut out[at..], ld);
            } else if self.col == 1 {
                for (i, r) in rows.clone().enumerate() {
                    out[i * ld + at..][..len].copy_from_slice(&self.data[address + r * self.row..][..len]);
                }
            } else {
                for c in 0..len {
                    let from = address + c * self.col;
                    for (i, r) in rows.clone().enumerate() {
                        out[i * ld + at + c] = self.data[from + r * self.row];
                    }
                }
            }
        }
    }

    fn copy_transposed(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        for (at, address, len) in self.pieces(cols) {
            if self.row == 1 {
                for c in 0..len {
                    let from = &self.data[address + c * self.col + rows.start..][..rows.len()];
                    out[(at + c) * ld..][..rows.len()].copy_from_slice(from);
                }
            } else {
                for (i, r) in rows.clone().enumerate() {
                    let from = address + r * self.row;
                    for c in 0..len {
                        out[(at + c) * ld + i] = self.data[from + c * self.col];
                    }
                }
            }
        }
    }

    fn borrow(&self, rows: Range<usize>, cols: Range<usize>) -> Option<(&[R], [usize; 2])> {
        let (image, within) = (cols.start / self.period, cols.start % self.period);
        let first = image * self.image + within * self.col + rows.start * self.row;
        (self.period - within >= cols.len()).then(|| (&self.data[first..], [self.row, self.col]))
    }
}

/// Copies `rows` rows of N elements, `from_row` and `to_row` elements apart: lengths known to the compiler become a few vector moves.
pub(crate) fn copy_rows<R: Real, const N: usize>(
    rows: usize,
    from: &[R],
    from_row: usize,
    to: &mut [R],
    to_row: usize,
) {
    for i in 0..rows {
        let from: &[R; N] = from[i * from_row..].first_chunk().expect("a row lies in what is copied");
        *to[i * to_row..].first_chunk_mut().expect("a row lies in its block") = *from;
    }
}
