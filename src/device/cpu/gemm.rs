//! Matrix products on slices.

use super::real::Real;

/// A strided matrix `(rows, cols)` in a slice; element `(i,j)` is `data[i·row + j·col]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, R> {
    pub data: &'a [R],
    pub row: usize,
    pub col: usize,
}

impl<'a, R> Matrix<'a, R> {
    /// Row-major with `cols` columns.
    pub fn row_major(data: &'a [R], cols: usize) -> Self {
        Matrix { data, row: cols, col: 1 }
    }

    /// The transpose, in place.
    pub fn transposed(self) -> Self {
        Matrix { data: self.data, row: self.col, col: self.row }
    }

    fn holds(&self, rows: usize, cols: usize) -> bool {
        rows == 0 || cols == 0 || (rows - 1) * self.row + (cols - 1) * self.col < self.data.len()
    }
}

/// `C = A·B + beta·C` with A `(M,K)`, B `(K,N)`, C row-major `(M,N)`.
pub fn multiply<R: Real>([m, k, n]: [usize; 3], a: Matrix<R>, b: Matrix<R>, beta: R, c: &mut [R]) {
    assert!(a.holds(m, k) && b.holds(k, n) && c.len() >= m * n, "matrices reach past their slices");
    let strides = |matrix: &Matrix<R>| [matrix.row as isize, matrix.col as isize];
    // SAFETY: by the assertion the largest address of each matrix lies in its slice, strides are not
    // negative, and C is borrowed exclusively and row-major.
    unsafe {
        R::gemm(
            m,
            k,
            n,
            a.data.as_ptr(),
            strides(&a),
            b.data.as_ptr(),
            strides(&b),
            beta,
            c.as_mut_ptr(),
            [n as isize, 1],
        )
    }
}
