//! A matrix times a vector: every element of the matrix is used once, so nothing is packed.

use super::{real::Real, workers::Workers};
use crate::plan::kernel::{MatmulKernel, MatrixView};

/// Results of one task.
const LEN: usize = 256;

/// `y[t,i] = Σ_k matrix[t,i,k]·vector[t,k]`, y row-major `(T,len)`.
pub struct Matvec {
    trials: usize,
    len: usize,
    k: usize,
    /// Read index and view; row: along y, col: along k.
    matrix: (usize, MatrixView),
    /// Read index, offset and strides along trials and k.
    vector: (usize, [usize; 3]),
}

impl Matvec {
    /// A product with one row or one column whose matrix is contiguous in either direction.
    pub fn new(kernel: &MatmulKernel) -> Option<Self> {
        let MatmulKernel { trials, m, n, k, a, b } = *kernel;
        let (len, matrix, vector) = if m == 1 {
            let transposed = MatrixView { row: b.col, col: b.row, ..b };
            (n, (1, transposed), (0, [a.offset, a.trial, a.col]))
        } else if n == 1 {
            (m, (0, a), (1, [b.offset, b.trial, b.row]))
        } else {
            return None;
        };
        let contiguous = matrix.1.row == 1 || matrix.1.col == 1;
        // Trials that share the matrix make one product of many rows, which reads it once.
        let shared = trials > 1 && matrix.1.trial == 0;
        (contiguous && !shared).then_some(Matvec { trials, len, k, matrix, vector })
    }

    pub fn run<R: Real>(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let (Matvec { trials, len, k, .. }, (read, matrix)) = (self, self.matrix);
        let data = &reads[read][matrix.offset..];
        let (vector_read, [offset, trial_stride, stride]) = self.vector;
        // Tasks stay within a trial.
        let length = if *trials == 1 { LEN } else { *len };
        workers.for_each(out, length, trials * len * k / 4, |workspace, task, out| {
            let (t, first) = if *trials == 1 { (0, task * LEN) } else { (task, 0) };
            let vector = &reads[vector_read][offset + t * trial_stride..];
            let x = &mut workspace.scratch[..*k];
            x.iter_mut().enumerate().for_each(|(i, x)| *x = vector[i * stride]);
            let data = &data[t * matrix.trial + first * matrix.row..];
            if matrix.col == 1 {
                for (i, y) in out.iter_mut().enumerate() {
                    *y = R::dot(&data[i * matrix.row..][..*k], x);
                }
            } else {
                out.fill(R::zero());
                for (i, &x) in x.iter().enumerate() {
                    R::add_multiple(x, &data[i * matrix.col..][..out.len()], out);
                }
            }
        });
    }
}
