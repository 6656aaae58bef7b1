//! Where the tiles of a product go.

use std::{marker::PhantomData, ops::Range};

use crate::device::cpu::{prefetch::prefetch_line, real::Real};

/// A slice that several threads write at once, each its own elements.
///
/// The tiles of a matrix are no contiguous parts of it, so that the borrow checker cannot hand them out
/// one by one; cutting C into whole rows instead would make each thread pack all of B.
pub struct Output<'a, R> {
    start: *mut R,
    len: usize,
    borrow: PhantomData<&'a mut [R]>,
}

// SAFETY: the only access is `Output::slice`, whose callers promise not to overlap.
unsafe impl<R: Send> Sync for Output<'_, R> {}

impl<'a, R> Output<'a, R> {
    pub fn new(slice: &'a mut [R]) -> Self {
        Output { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// # Safety
    /// No other slice taken from this output that overlaps `range` may be alive.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub unsafe fn slice(&self, range: Range<usize>) -> &mut [R] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: the range lies in the slice that was borrowed exclusively for 'a; by the caller's promise
        // this is the only reference to it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// To `len` elements from `at` on, of which the caller may use its own.
    pub fn pointer(&self, at: usize, len: usize) -> *mut R {
        assert!(at < self.len && self.len - at >= len, "{len} from {at} of {}", self.len);
        // SAFETY: it lies in the slice.
        unsafe { self.start.add(at) }
    }

    /// Asks for the cache line of element `at`, which will soon be written; of none past the end.
    #[inline(always)]
    pub fn prefetch(&self, at: usize) {
        if at < self.len {
            prefetch_line(self.start.wrapping_add(at));
        }
    }

    /// Writes `values` from element `at` on.
    ///
    /// # Safety
    /// As for [`Output::slice`].
    #[inline(always)]
    pub unsafe fn put<const N: usize>(&self, at: usize, values: &[R; N])
    where
        R: Copy,
    {
        assert!(at < self.len && self.len - at >= N, "{N} from {at} of {}", self.len);
        // SAFETY: they lie in the slice that was borrowed exclusively for 'a; nobody else uses them, by the caller's promise.
        unsafe { self.start.add(at).cast::<[R; N]>().write(*values) }
    }
}

/// Element `(i, j)` of C is at `offset + i·row + (j mod period)·col + ⌊j / period⌋·image`, where row or col is 1
/// and no two elements share an address.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
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
    pub fn row_major(offset: usize, cols: usize) -> Self {
        Layout { offset, row: cols, col: 1, period: usize::MAX, image: 0, add: false }
    }

    /// The transpose of a row-major matrix with `rows` columns.
    pub fn transposed(offset: usize, rows: usize) -> Self {
        Layout { offset, row: 1, col: rows, period: usize::MAX, image: 0, add: false }
    }

    /// `(rows, image·positions)`, stored as planes `(image, rows, positions)`.
    pub fn planes(offset: usize, positions: usize, image: usize) -> Self {
        Layout { offset, row: positions, col: 1, period: positions, image, add: false }
    }

    /// The first element of a tile whose rows are contiguous each, if they are.
    pub fn rows_at(&self, rows: &Range<usize>, cols: &Range<usize>) -> Option<usize> {
        let (image, within) = (cols.start / self.period, cols.start % self.period);
        let whole = self.col == 1 && !rows.is_empty() && self.period - within >= cols.len();
        whole.then(|| self.offset + image * self.image + within + rows.start * self.row)
    }

    /// Stores a tile `(rows, nr)` at `(i, j)`, or adds it.
    ///
    /// # Safety
    /// No other thread may use the elements `rows × cols` of C meanwhile.
    pub unsafe fn store<R: Real>(
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
        to.iter_mut().zip(from).for_each(|(to, &value)| *to = *to + value);
    } else {
        to.iter_mut().zip(from).for_each(|(to, &value)| *to = value);
    }
}
