//! The innermost product: rows of A times panels of B, with the sums of a tile of C in registers.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Simd, SimdFloat};

use super::ahead::{AHEAD, Ahead, GLANCE};
use crate::device::cpu::{
    memory::{output::Output, prefetch::prefetch_line},
    vectors::{Isa, LONGEST, Real, Token, V, len, load, put, splat, store, vectorized},
};

/// Columns of a panel: whole vectors of every width.
pub(crate) const COLS: usize = 16;
/// Vectors of a tile's row.
const VECTORS: usize = 2;
/// Terms after which the next rows of A are taken, so that so many rows of B stay in the first-level cache.
const DEPTH: usize = 256;

/// Rows of a matrix, `row` apart, each read along.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a, R> {
    pub data: &'a [R],
    pub row: usize,
}

/// A matrix `(K,N)` in panels `(K,16)` of its columns, `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels<'a, R> {
    pub data: &'a [R],
    pub stride: usize,
}

/// Where C goes: its rows are `row` elements apart, every sixteen of its columns `panel` elements.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a, R> {
    pub out: &'a Output<'a, R>,
    pub first: usize,
    pub row: usize,
    pub panel: usize,
    /// Add to what is there.
    pub add: bool,
}

vectorized! {
    /// `c (M,N) = a·b`, or `c += a·b`, of sizes `[M, K, N]`. Every `part` products of an element are added up in order, and then
    /// to the parts before them, wherever the element stands; `part` divides 256, or is at least as much.
    ///
    /// No other thread may use these elements of C meanwhile.
    pub(crate) fn multiply(sizes: [usize; 3], part: usize, a: Block<R>, b: Panels<R>, c: Place<R>) = multiply_loop;
}

/// Rows of a tile: with 32 registers eight, of two vectors each; with sixteen fewer, and fewer still where a product takes a
/// register before it is added.
#[inline(always)]
const fn tile_rows<S: Simd, R: Real>() -> usize {
    match len::<S, R>() * size_of::<R>() {
        64 => 8,
        _ if cfg!(target_arch = "aarch64") => 8,
        32 => 6,
        _ => 4,
    }
}

/// Rows of which tasks take multiples, so that their last tile keeps the processor as busy as the others do: half a tile has enough sums
/// under way where vectors are 64 bytes long.
pub(super) fn even_rows(isa: Isa) -> usize {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        Token::Avx2(_) => 6,
        _ => 4,
    }
}

#[inline(always)]
fn multiply_loop<S: Simd, R: Real>(
    simd: S,
    [m, k, n]: [usize; 3],
    part: usize,
    a: Block<R>,
    b: Panels<R>,
    c: Place<R>,
) {
    if m * n == 0 {
        return;
    }
    let panels = n.div_ceil(COLS);
    assert!(k > 0 && part > 0 && (m - 1) * a.row + k <= a.data.len());
    assert!((panels - 1) * b.stride + k * COLS <= b.data.len());
    let last = (m - 1) * c.row + (panels - 1) * c.panel + n - (panels - 1) * COLS;
    let to = c.out.pointer(c.first, last);
    let depth = DEPTH.max(part);
    for start in (0..k).step_by(depth) {
        let terms =
            Terms { from: start, to: k.min(start + depth), part, a, b, c, cols: n, add: c.add || start > 0 };
        for column in (0..n).step_by(VECTORS * len::<S, R>()) {
            let left = n - column;
            // SAFETY: the assertions cover a and b, `Output::pointer` c; nobody else uses c, by the caller's promise.
            unsafe {
                if left <= len::<S, R>() {
                    terms.rows::<S, 1>(simd, m, column, left, to);
                } else {
                    terms.rows::<S, VECTORS>(simd, m, column, left.min(VECTORS * len::<S, R>()), to);
                }
            }
        }
    }
}

/// A product's terms `from..to`.
struct Terms<'a, R> {
    from: usize,
    to: usize,
    part: usize,
    a: Block<'a, R>,
    b: Panels<'a, R>,
    c: Place<'a, R>,
    add: bool,
    /// Of all of C.
    cols: usize,
}

impl<R: Real> Terms<'_, R> {
    /// N vectors of columns from `column` on, of which the first `cols` columns are C's, whose first element is at `c`.
    ///
    /// # Safety
    /// A has m rows, B these columns rounded up to panels, C both, and C's elements are the caller's.
    #[inline(always)]
    unsafe fn rows<S: Simd, const N: usize>(&self, simd: S, m: usize, column: usize, cols: usize, c: *mut R) {
        let at: [usize; N] = std::array::from_fn(|n| column + n * len::<S, R>());
        // SAFETY: the caller's promise; no tile goes beyond row m.
        unsafe {
            let b = at.map(|j| self.b.data.as_ptr().add(j / COLS * self.b.stride + j % COLS));
            // The last of them may lie outside C, and is not followed then.
            let c = at.map(|j| c.wrapping_add(j / COLS * self.c.panel + j % COLS));
            let mut row = 0;
            let ahead = &mut self.ahead::<S, N>(m, column);
            while m - row >= tile_rows::<S, R>() {
                match tile_rows::<S, R>() {
                    8 => self.tile::<S, 8, N>(simd, row, b, c, cols, ahead),
                    6 => self.tile::<S, 6, N>(simd, row, b, c, cols, ahead),
                    _ => self.tile::<S, 4, N>(simd, row, b, c, cols, ahead),
                }
                row += tile_rows::<S, R>();
            }
            if m - row >= 4 {
                self.tile::<S, 4, N>(simd, row, b, c, cols, ahead);
                row += 4;
            }
            if m - row >= 2 {
                self.tile::<S, 2, N>(simd, row, b, c, cols, ahead);
                row += 2;
            }
            if m > row {
                self.tile::<S, 1, N>(simd, row, b, c, cols, ahead);
            }
        }
    }

    /// What is asked for beside the products of the `m` rows of N vectors of columns from `column` on: the columns after them.
    #[inline(always)]
    fn ahead<S: Simd, const N: usize>(&self, m: usize, column: usize) -> Ahead<R> {
        let (columns, depth) = (N * len::<S, R>(), self.to - self.from);
        let after = column + columns;
        let at = self.b.data.as_ptr().wrapping_add(after / COLS * self.b.stride + self.from * COLS);
        let is_panel = after < self.cols && after.is_multiple_of(COLS);
        let count = if is_panel { depth * columns.next_multiple_of(COLS) } else { 0 };
        Ahead::new(at, count, m.div_ceil(tile_rows::<S, R>()) * depth.div_ceil(GLANCE))
    }

    /// M rows from `row` on.
    ///
    /// # Safety
    /// As for [`Terms::rows`].
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        row: usize,
        b: [*const R; N],
        c: [*mut R; N],
        cols: usize,
        ahead: &mut Ahead<R>,
    ) {
        for m in 0..M {
            for n in 0..N {
                prefetch_line(c[n].wrapping_add((row + m) * self.c.row));
            }
        }
        let mut add = self.add;
        for start in (self.from..self.to).step_by(self.part) {
            let mut sums = [[splat::<S, R>(simd, R::zero()); N]; M];
            let end = self.to.min(start + self.part);
            // SAFETY: the caller's promise.
            unsafe {
                let a = self.a.data.as_ptr().add(row * self.a.row);
                for glance in (start..end).step_by(GLANCE) {
                    ahead.ask();
                    self.ask_rows::<M>(a, glance + AHEAD);
                    for k in glance..end.min(glance + GLANCE) {
                        let mut columns = [splat::<S, R>(simd, R::zero()); N];
                        for n in 0..N {
                            columns[n] = load::<S, R>(simd, b[n].add(k * COLS));
                        }
                        for m in 0..M {
                            let a = splat::<S, R>(simd, *a.add(m * self.a.row + k));
                            for n in 0..N {
                                sums[m][n] = a.mul_add(columns[n], sums[m][n]);
                            }
                        }
                    }
                }
                self.put::<S, M, N>(simd, &sums, row, c, cols, add);
            }
            add = true;
        }
    }

    /// Asks for the terms from k on of M rows of A, the first of which is at `a`; beyond the last term for the first ones of the next M rows.
    #[inline(always)]
    fn ask_rows<const M: usize>(&self, a: *const R, k: usize) {
        let first = if k < self.to { k } else { M * self.a.row + self.from + k - self.to };
        for m in 0..M {
            prefetch_line(a.wrapping_add(first + m * self.a.row));
        }
    }

    /// Writes or adds the sums of rows from `row` on.
    ///
    /// # Safety
    /// As for [`Terms::rows`].
    #[inline(always)]
    unsafe fn put<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        sums: &[[V<S, R>; N]; M],
        row: usize,
        c: [*mut R; N],
        cols: usize,
        add: bool,
    ) {
        let at = |m: usize, n: usize| c[n].wrapping_add((row + m) * self.c.row);
        // Loops without a branch inside, which the compiler unrolls: so the sums stay in registers.
        // SAFETY: the caller's promise.
        unsafe {
            if cols < N * len::<S, R>() {
                let mut values = [[[R::zero(); LONGEST]; N]; M];
                for m in 0..M {
                    for n in 0..N {
                        put::<S, R>(sums[m][n], &mut values[m][n]);
                    }
                }
                for m in 0..M {
                    for n in 0..N {
                        let left = (cols - (n * len::<S, R>()).min(cols)).min(len::<S, R>());
                        put_some(&values[m][n][..left], at(m, n), add);
                    }
                }
            } else if add {
                for m in 0..M {
                    for n in 0..N {
                        store::<S, R>(load::<S, R>(simd, at(m, n)) + sums[m][n], at(m, n));
                    }
                }
            } else {
                for m in 0..M {
                    for n in 0..N {
                        store::<S, R>(sums[m][n], at(m, n));
                    }
                }
            }
        }
    }
}

/// Writes or adds numbers.
///
/// # Safety
/// So many from `to` on are the caller's.
unsafe fn put_some<R: Real>(sum: &[R], to: *mut R, add: bool) {
    // SAFETY: the caller's promise.
    let to = unsafe { std::slice::from_raw_parts_mut(to, sum.len()) };
    for (to, &sum) in to.iter_mut().zip(sum) {
        *to = if add { *to + sum } else { sum };
    }
}
