//! The dense linear algebra of the exact attacks: f64, row-major. Decompositions come from faer, here and nowhere else:
//! one of singular values, one of Cholesky.

use faer::{Mat, linalg::solvers::Solve};
use rayon::prelude::*;

/// `(rows, columns)`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Numbers of a column.
    pub rows: usize,
    /// Numbers of a row.
    pub columns: usize,
    /// Row-major, `rows·columns` of them.
    pub values: Vec<f64>,
}

/// A = U·diag(s)·Vᵀ, thin: of the shorter side's width, `s` falling.
pub struct Svd {
    /// U `(rows, k)`, with orthonormal columns.
    pub u: Matrix,
    /// Singular values `(k)`, falling.
    pub s: Vec<f64>,
    /// V `(columns, k)`, with orthonormal columns.
    pub v: Matrix,
}

/// The decomposition did not converge, as with entries that are not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the singular value decomposition of a {rows}×{columns} matrix did not converge")]
pub struct NotConverged {
    /// Of the matrix.
    pub rows: usize,
    /// Of the matrix.
    pub columns: usize,
}

impl Matrix {
    /// From row-major values, `rows·columns` of them.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Matrix {
        assert_eq!(values.len(), rows * columns, "a {rows}×{columns} matrix");
        Matrix { rows, columns, values }
    }

    /// With this entry at each row and column.
    pub fn from_fn(rows: usize, columns: usize, mut entry: impl FnMut(usize, usize) -> f64) -> Matrix {
        let values = (0..rows * columns).map(|at| entry(at / columns, at % columns)).collect();
        Matrix { rows, columns, values }
    }

    /// From vectors of one length as columns.
    pub fn of_columns(columns: &[Vec<f64>]) -> Matrix {
        let rows = columns.first().map_or(0, Vec::len);
        Matrix::from_fn(rows, columns.len(), |i, j| columns[j][i])
    }

    /// One entry.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// One row, `(columns)`.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// One column, `(rows)`, copied.
    pub fn column(&self, column: usize) -> Vec<f64> {
        (0..self.rows).map(|row| self.at(row, column)).collect()
    }

    /// These rows, in this order.
    pub fn picked(&self, rows: &[usize]) -> Matrix {
        let values = rows.iter().flat_map(|&row| self.row(row).iter().copied()).collect();
        Matrix { rows: rows.len(), columns: self.columns, values }
    }

    /// The first columns.
    pub fn first_columns(&self, count: usize) -> Matrix {
        Matrix::from_fn(self.rows, count, |i, j| self.at(i, j))
    }

    /// The transpose, `(columns, rows)`.
    pub fn transposed(&self) -> Matrix {
        Matrix::from_fn(self.columns, self.rows, |i, j| self.at(j, i))
    }

    /// Each column times its factor.
    pub fn with_columns_times(mut self, factors: &[f64]) -> Matrix {
        for row in self.values.chunks_mut(self.columns.max(1)) {
            row.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
        }
        self
    }

    /// A·B
    pub fn times(&self, other: &Matrix) -> Matrix {
        product(&self.values, [self.rows, self.columns], other)
    }

    /// A·x
    pub fn times_vector(&self, x: &[f64]) -> Vec<f64> {
        self.values.chunks(self.columns.max(1)).map(|row| dot(row, x)).collect()
    }

    /// Frobenius.
    pub fn norm(&self) -> f64 {
        norm(&self.values)
    }
}

/// Σ aᵢ·bᵢ
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// ‖v‖₂
pub fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

/// A vector of length 1 in the same direction; 0 stays 0.
pub fn unit(mut values: Vec<f64>) -> Vec<f64> {
    let length = norm(&values).max(f64::MIN_POSITIVE);
    values.iter_mut().for_each(|value| *value /= length);
    values
}

/// A·B for an A `(rows, columns)` of any floating type, row by row.
pub fn product<T: Copy + Into<f64> + Sync>(a: &[T], [rows, columns]: [usize; 2], b: &Matrix) -> Matrix {
    assert_eq!((a.len(), columns), (rows * columns, b.rows), "product of {rows}×{columns}");
    let mut out = Matrix { rows, columns: b.columns, values: vec![0.0; rows * b.columns] };
    if b.columns == 0 || columns == 0 {
        return out;
    }
    out.values.par_chunks_mut(b.columns).zip(a.par_chunks(columns)).for_each(|(out, row)| {
        for (&factor, line) in row.iter().zip(b.values.chunks(b.columns)) {
            let factor: f64 = factor.into();
            out.iter_mut().zip(line).for_each(|(out, value)| *out += factor * value);
        }
    });
    out
}

/// Columns of A that one task of [`product_transposed`] takes.
const STRIP: usize = 256;

/// Aᵀ·B for an A `(rows, columns)` of any floating type.
pub fn product_transposed<T: Copy + Into<f64> + Sync>(
    a: &[T],
    [rows, columns]: [usize; 2],
    b: &Matrix,
) -> Matrix {
    assert_eq!((a.len(), rows), (rows * columns, b.rows), "product of ({rows}×{columns})ᵀ");
    let mut out = Matrix { rows: columns, columns: b.columns, values: vec![0.0; columns * b.columns] };
    if b.columns == 0 || rows == 0 {
        return out;
    }
    out.values.par_chunks_mut(STRIP * b.columns).enumerate().for_each(|(strip, out)| {
        let first = strip * STRIP;
        for (row, line) in a.chunks(columns).zip(b.values.chunks(b.columns)) {
            for (&factor, out) in row[first..].iter().zip(out.chunks_mut(b.columns)) {
                let factor: f64 = factor.into();
                out.iter_mut().zip(line).for_each(|(out, value)| *out += factor * value);
            }
        }
    });
    out
}

/// XᵀX `(columns, columns)`.
pub fn gram(x: &Matrix) -> Matrix {
    let matrix = faer::MatRef::from_row_major_slice(&x.values, x.rows, x.columns);
    let product = matrix.transpose() * matrix;
    Matrix::from_fn(x.columns, x.columns, |i, j| product[(i, j)])
}

/// # Errors
/// The decomposition does not converge, as with values that are not finite.
pub fn svd(a: &Matrix) -> Result<Svd, NotConverged> {
    let failed = NotConverged { rows: a.rows, columns: a.columns };
    let matrix = Mat::from_fn(a.rows, a.columns, |i, j| a.at(i, j));
    let found = matrix.thin_svd().map_err(|_| failed)?;
    let own = |m: faer::MatRef<f64>| Matrix::from_fn(m.nrows(), m.ncols(), |i: usize, j: usize| m[(i, j)]);
    let s = found.S().column_vector().iter().copied().collect();
    Ok(Svd { u: own(found.U()), s, v: own(found.V()) })
}

/// Singular values below this share of the largest count as 0 where a system is solved.
const SINGULAR: f64 = 1e-13;

/// The pseudo-inverse `(columns, rows)`.
///
/// # Errors
/// As of [`svd`].
pub fn pseudo_inverse(a: &Matrix) -> Result<Matrix, NotConverged> {
    let Svd { u, s, v } = svd(a)?;
    let largest = s.first().copied().unwrap_or(0.0);
    let inverse: Vec<f64> = s.iter().map(|&s| if s > SINGULAR * largest { 1.0 / s } else { 0.0 }).collect();
    Ok(v.with_columns_times(&inverse).times(&u.transposed()))
}

/// The matrix of a system is not positive definite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {size}×{size} system has no single solution: its matrix is not positive definite")]
pub struct NotDefinite {
    /// Rows and columns.
    pub size: usize,
}

/// X with A·X = B for a symmetric, positive definite A.
///
/// # Errors
/// A is not.
pub fn solve_definite(a: &Matrix, b: &Matrix) -> Result<Matrix, NotDefinite> {
    let matrix = Mat::from_fn(a.rows, a.columns, |i, j| a.at(i, j));
    let factor = matrix.llt(faer::Side::Lower).map_err(|_| NotDefinite { size: a.rows })?;
    let solved = factor.solve(&Mat::from_fn(b.rows, b.columns, |i, j| b.at(i, j)));
    Ok(Matrix::from_fn(b.rows, b.columns, |i, j| solved[(i, j)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: usize, columns: usize, seed: u64) -> Matrix {
        let mut generator = crate::random::generator(seed, "matrix");
        let values = crate::random::normal(&mut generator, rows * columns);
        Matrix::new(rows, columns, values.into_iter().map(f64::from).collect())
    }

    #[test]
    fn a_decomposition_multiplies_back_whichever_side_is_longer() {
        for (rows, columns) in [(7, 4), (4, 7), (5, 5), (1, 3), (3, 1)] {
            let a = drawn(rows, columns, 1);
            let Svd { u, s, v } = svd(&a).unwrap();
            let back = u.with_columns_times(&s).times(&v.transposed());
            let error = back.values.iter().zip(&a.values).map(|(b, a)| (b - a).abs()).fold(0.0, f64::max);
            assert!(error < 1e-12, "{rows}×{columns}: {error}");
            assert!(s.windows(2).all(|pair| pair[0] >= pair[1]));
        }
    }

    #[test]
    fn a_transposed_product_is_the_product_of_the_transpose() {
        let (a, b) = (drawn(5, 600, 2), drawn(5, 3, 3));
        let direct = a.transposed().times(&b);
        let strips = product_transposed(&a.values, [5, 600], &b);
        assert!(direct.values.iter().zip(&strips.values).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_gram_matrix_is_the_transpose_times_the_matrix() {
        let a = drawn(9, 5, 7);
        let direct = a.transposed().times(&a);
        assert!(gram(&a).values.iter().zip(&direct.values).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_definite_system_is_solved_and_another_refused() {
        let a = drawn(6, 4, 5);
        let gram = a.transposed().times(&a);
        let x = drawn(4, 2, 6);
        let solved = solve_definite(&gram, &gram.times(&x)).unwrap();
        assert!(solved.values.iter().zip(&x.values).all(|(a, b)| (a - b).abs() < 1e-10));
        let refused = solve_definite(
            &Matrix::from_fn(2, 2, |_, _| 1.0).with_columns_times(&[1.0, -1.0]),
            &x.picked(&[0, 1]),
        );
        assert_eq!(refused, Err(NotDefinite { size: 2 }));
    }

    #[test]
    fn a_pseudo_inverse_solves_in_the_least_squares_sense() {
        let a = drawn(9, 4, 4);
        let x = vec![1.0, -2.0, 0.5, 3.0];
        let solved = pseudo_inverse(&a).unwrap().times_vector(&a.times_vector(&x));
        assert!(solved.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-12), "{solved:?}");
    }
}
