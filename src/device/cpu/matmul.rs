//! `c[t,i,j] = Σ_k a[t,i,k]·b[t,k,j]`

use super::{
    gemm::{self, Matrix},
    kernel::{Needs, Prepared},
    real::Real,
    workers::Workers,
};
use crate::plan::kernel::{MatmulKernel, MatrixView};

/// Rows of one trial that a task computes.
const ROWS: usize = 64;

pub struct Matmul(MatmulKernel);

impl Matmul {
    pub fn new(kernel: &MatmulKernel) -> Self {
        Matmul(*kernel)
    }
}

fn extent(view: &MatrixView, trials: usize, rows: usize, cols: usize) -> usize {
    if trials * rows * cols == 0 {
        return 0;
    }
    view.offset + (trials - 1) * view.trial + (rows - 1) * view.row + (cols - 1) * view.col + 1
}

fn matrix<'a, R>(view: &MatrixView, data: &'a [R], trial: usize, row: usize) -> Matrix<'a, R> {
    Matrix { data: &data[view.offset + trial * view.trial + row * view.row..], row: view.row, col: view.col }
}

impl<R: Real> Prepared<R> for Matmul {
    fn needs(&self) -> Needs {
        let MatmulKernel { trials, m, n, k, a, b } = &self.0;
        Needs {
            reads: vec![extent(a, *trials, *m, *k), extent(b, *trials, *k, *n)],
            write: trials * m * n,
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let MatmulKernel { trials, m, n, k, a, b } = self.0;
        if k == 0 {
            return out.fill(R::zero());
        }
        // A task is a block of rows, and stays within its trial.
        let rows = if trials == 1 { ROWS.min(m) } else { m };
        workers.for_each(out, rows * n, trials * m * n * k, |_, task, c| {
            let (trial, row) = if trials == 1 { (0, task * rows) } else { (task, 0) };
            let a = matrix(&a, reads[0], trial, row);
            let b = matrix(&b, reads[1], trial, 0);
            gemm::multiply([c.len() / n, k, n], a, b, R::zero(), c);
        });
    }
}
