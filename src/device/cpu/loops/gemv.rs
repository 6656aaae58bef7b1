//! Products that are too thin for [`super::gemm`]: packing their operands costs more than multiplying them.
//!
//! Every element of C adds its products in one order, given by the sizes and strides of the operands alone. Rows add them
//! as [`super::gemm`] does, so that a row of a batch is the same alone and among others.

use std::ops::Range;

use crate::{
    device::cpu::{
        loops::{folds::dot, gemm, lanes::add_multiple},
        memory::{output::Output, workers::Workers},
        vectors::{Isa, Real},
    },
    plan::kernel::{MatmulKernel, MatrixView},
};

/// Rows or columns up to which a product is thin if both operands lie side by side along K.
const DOTS: usize = 16;
/// Depth up to which rows of C are added up from rows of B.
const DEPTH: usize = 4;
/// Elements of C that one task computes at most.
const TASK: usize = 512;

/// A thin product, and how it is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gemv {
    /// As given, or with rows and columns exchanged, which is the same result where C is one row or column.
    kernel: MatmulKernel,
    order: Order,
    /// Rows and columns are exchanged, and so are A and B.
    exchanged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Each element is the product of a row of A with a column of B, both side by side in memory.
    Dots,
    /// Each row of C is a sum of multiples of rows of B, [`gemm::depth_of`] them at a time.
    Rows,
}

impl Gemv {
    /// `None` for products that are better packed. Never by the number of trials: a trial's result must not
    /// depend on the others.
    pub(crate) fn new(kernel: &MatmulKernel) -> Option<Gemv> {
        let dots = |a: &MatrixView, b: &MatrixView| a.col == 1 && b.row == 1;
        let MatmulKernel { m, n, k, a, b, .. } = *kernel;
        if m.min(n) <= DOTS && dots(&a, &b) && k > DEPTH {
            return Some(Gemv { kernel: *kernel, order: Order::Dots, exchanged: false });
        }
        let turned = |view: MatrixView| MatrixView { row: view.col, col: view.row, ..view };
        let exchanged = n == 1 && m > 1;
        let kernel = match exchanged {
            true => MatmulKernel { m: 1, n: m, a: turned(b), b: turned(a), ..*kernel },
            false => *kernel,
        };
        let rows = (kernel.m == 1 || kernel.k <= DEPTH) && kernel.b.col == 1 && kernel.n >= 8;
        rows.then_some(Gemv { kernel, order: Order::Rows, exchanged })
    }

    /// Elements of scratch for each thread.
    pub(crate) fn scratch_len(&self) -> usize {
        TASK
    }

    pub(crate) fn run<R: Real>(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let MatmulKernel { trials, m, n, k, .. } = self.kernel;
        let reads = if self.exchanged { [reads[1], reads[0]] } else { [reads[0], reads[1]] };
        let work = gemm::work(4 * trials * m * n * k);
        if self.order == Order::Dots && m < n {
            return self.run_columns(reads, out, work, workers);
        }
        // A task is some whole rows, or a part of one.
        let (rows, columns) = if n > TASK { (1, TASK) } else { (TASK / n, n) };
        let parts = n.div_ceil(columns);
        let (isa, out) = (workers.isa(), Output::new(out));
        workers.each_task((trials * m).div_ceil(rows) * parts, work, |workspace, task| {
            let first = task % parts * columns;
            let columns = columns.min(n - first);
            let row = task / parts * rows;
            for row in row..(trials * m).min(row + rows) {
                let at = row * n + first;
                // SAFETY: a task owns its part of its rows.
                let out = unsafe { out.slice(at..at + columns) };
                self.part(isa, reads, row, first, out, &mut workspace.scratch);
            }
        });
    }

    /// Dots of few rows and many columns: a column is read once for all rows, which stay in the cache.
    fn run_columns<R: Real>(&self, reads: [&[R]; 2], out: &mut [R], work: usize, workers: &mut Workers<R>) {
        let MatmulKernel { trials, m, n, k, a, b } = self.kernel;
        let columns = TASK / m;
        let parts = n.div_ceil(columns);
        let (isa, out) = (workers.isa(), Output::new(out));
        workers.each_task(trials * parts, work, |_, task| {
            let (trial, first) = (task / parts, task % parts * columns);
            let (a_first, b_first) = (a.offset + trial * a.trial, b.offset + trial * b.trial);
            for j in first..n.min(first + columns) {
                let column = &reads[1][b_first + j * b.col..][..k];
                for i in 0..m {
                    let at = (trial * m + i) * n + j;
                    // SAFETY: a task owns its columns.
                    let to = unsafe { out.slice(at..at + 1) };
                    to[0] = dot(isa, &reads[0][a_first + i * a.row..][..k], column);
                }
            }
        });
    }

    /// Columns from `first` on of row `row` of all `T·M`.
    fn part<R: Real>(
        &self,
        isa: Isa,
        reads: [&[R]; 2],
        row: usize,
        first: usize,
        out: &mut [R],
        scratch: &mut [R],
    ) {
        let MatmulKernel { m, k, a, b, .. } = self.kernel;
        let (trial, i) = (row / m, row % m);
        let a_row = &reads[0][a.offset + trial * a.trial + i * a.row..];
        let b_first = b.offset + trial * b.trial + first * b.col;
        match self.order {
            Order::Dots => {
                for (j, out) in out.iter_mut().enumerate() {
                    *out = dot(isa, &a_row[..k], &reads[1][b_first + j * b.col..][..k]);
                }
            }
            Order::Rows => {
                let add = |depth: Range<usize>, sums: &mut [R]| {
                    sums.fill(R::zero());
                    for i in depth {
                        add_multiple(
                            isa,
                            a_row[i * a.col],
                            &reads[1][b_first + i * b.row..][..sums.len()],
                            sums,
                        );
                    }
                };
                let depth = gemm::depth_of(k);
                add(0..k.min(depth), out);
                let sums = &mut scratch[..out.len()];
                for start in (depth..k).step_by(depth) {
                    add(start..k.min(start + depth), sums);
                    add_multiple(isa, R::one(), sums, out);
                }
            }
        }
    }
}
