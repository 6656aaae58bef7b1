//! The innermost product: rows of A times panels of B, with the sums of a tile of C in registers.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Simd, SimdFloat};

use crate::device::cpu::{
    memory::output::Output,
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
    /// to the parts before them, wherever the element stands; `part` divides 256.
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
    for start in (0..k).step_by(DEPTH) {
        let terms = Terms { from: start, to: k.min(start + DEPTH), part, a, b, c, add: c.add || start > 0 };
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
            while m - row >= tile_rows::<S, R>() {
                match tile_rows::<S, R>() {
                    8 => self.tile::<S, 8, N>(simd, row, b, c, cols),
                    6 => self.tile::<S, 6, N>(simd, row, b, c, cols),
                    _ => self.tile::<S, 4, N>(simd, row, b, c, cols),
                }
                row += tile_rows::<S, R>();
            }
            if m - row >= 4 {
                self.tile::<S, 4, N>(simd, row, b, c, cols);
                row += 4;
            }
            if m - row >= 2 {
                self.tile::<S, 2, N>(simd, row, b, c, cols);
                row += 2;
            }
            if m > row {
                self.tile::<S, 1, N>(simd, row, b, c, cols);
            }
        }
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
    ) {
        let mut add = self.add;
        for start in (self.from..self.to).step_by(self.part) {
            let mut sums = [[splat::<S, R>(simd, R::zero()); N]; M];
            // SAFETY: the caller's promise.
            unsafe {
                let a = self.a.data.as_ptr().add(row * self.a.row);
                for k in start..self.to.min(start + self.part) {
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
                for m in 0..M {
                    let at = (row + m) * self.c.row;
                    for n in 0..N {
                        let left = cols - (n * len::<S, R>()).min(cols);
                        put_sum::<S, R>(simd, sums[m][n], c[n].wrapping_add(at), left, add);
                    }
                }
            }
            add = true;
        }
    }
}

/// Writes or adds the first `count` numbers.
///
/// # Safety
/// They are the caller's.
#[inline(always)]
unsafe fn put_sum<S: Simd, R: Real>(simd: S, sum: V<S, R>, to: *mut R, count: usize, add: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        if count >= len::<S, R>() {
            let sum = if add { load::<S, R>(simd, to) + sum } else { sum };
            return store::<S, R>(sum, to);
        }
        let mut values = [R::zero(); LONGEST];
        put::<S, R>(sum, &mut values);
        for (to, value) in std::slice::from_raw_parts_mut(to, count).iter_mut().zip(values) {
            *to = if add { *to + value } else { value };
        }
    }
}
