//! `c[t,i,j] = Σ_k a[t,i,k]·b[t,k,j]`

use crate::{
    device::cpu::{
        kernels::{Needs, Packing, Prepared},
        loops::{
            gemm::{self, Layout, Problem, Strided},
            gemv::Gemv,
        },
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::{MatmulKernel, MatrixView},
};

pub(crate) struct Matmul {
    kernel: MatmulKernel,
    fold: Fold,
    thin: Option<Gemv>,
}

/// How trials that share an operand become one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    None,
    /// b is shared: `(T·M,K) · (K,N)`
    Rows,
    /// a is shared: `(M,K) · (K,T·N)`
    Cols,
}

impl Matmul {
    pub(crate) fn new(kernel: &MatmulKernel) -> Self {
        let MatmulKernel { trials, m, a, b, .. } = kernel;
        let fold = if *trials > 1 && b.trial == 0 && a.trial == m * a.row {
            Fold::Rows
        } else if *trials > 1 && a.trial == 0 {
            Fold::Cols
        } else {
            Fold::None
        };
        Matmul { kernel: *kernel, fold, thin: Gemv::new(kernel) }
    }

    /// `[M, K, N]` of one product, and how many there are.
    fn product(&self) -> ([usize; 3], usize) {
        let MatmulKernel { trials, m, n, k, .. } = self.kernel;
        match self.fold {
            Fold::None => ([m, k, n], trials),
            Fold::Rows => ([trials * m, k, n], 1),
            Fold::Cols => ([m, k, trials * n], 1),
        }
    }

    /// The operands of product `t`, and where it goes.
    fn problem<'a, R: Real>(&self, reads: &[&'a [R]], t: usize) -> Problem<Strided<'a, R>, Strided<'a, R>> {
        let MatmulKernel { m, n, a, b, .. } = self.kernel;
        let (a, b) = (matrix(&a, reads[0], t), matrix(&b, reads[1], t));
        match self.fold {
            Fold::None | Fold::Rows => Problem { a, b, c: Layout::row_major(t * m * n, n) },
            Fold::Cols => {
                let b = Strided { period: n, image: self.kernel.b.trial, ..b };
                Problem { a, b, c: Layout { row: n, ..Layout::planes(0, n, m * n) } }
            }
        }
    }
}

/// Elements that a view of `trials` matrices needs.
fn extent(view: &MatrixView, trials: usize, rows: usize, cols: usize) -> usize {
    if trials * rows * cols == 0 {
        return 0;
    }
    view.offset + (trials - 1) * view.trial + (rows - 1) * view.row + (cols - 1) * view.col + 1
}

fn matrix<'a, R>(view: &MatrixView, data: &'a [R], trial: usize) -> Strided<'a, R> {
    Strided::matrix(&data[view.offset + trial * view.trial..], view.row, view.col)
}

impl<R: Real> Prepared<R> for Matmul {
    fn needs(&self) -> Needs {
        let MatmulKernel { trials, m, n, k, a, b } = &self.kernel;
        Needs {
            reads: vec![extent(a, *trials, *m, *k), extent(b, *trials, *k, *n)],
            write: trials * m * n,
            scratch: match &self.thin {
                Some(thin) => thin.scratch_len(),
                None => gemm::scratch_len(self.product().0),
            },
            packed: match &self.thin {
                Some(_) => 0,
                None => gemm::packed_len(self.product().1, self.product().0),
            },
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        if self.kernel.k == 0 || out.is_empty() {
            return out.fill(R::zero());
        }
        if let Some(thin) = &self.thin {
            return thin.run(reads, out, workers);
        }
        let (sizes, count) = self.product();
        gemm::multiply(workers, count, sizes, out, |t| self.problem(reads, t));
    }

    fn packing(&self) -> Option<Packing> {
        let (sizes, count) = self.product();
        let len = gemm::packed_len(count, sizes);
        let view = self.kernel.b;
        (self.thin.is_none() && len > 0).then_some(Packing {
            read: 1,
            view,
            sizes: [sizes[1], sizes[2]],
            len,
        })
    }

    fn pack(&self, reads: &[&[R]], to: &mut [R], workers: &mut Workers<R>) {
        gemm::pack(workers, &self.problem(reads, 0).b, self.product().0, to);
    }

    fn run_packed(&self, reads: &[&[R]], packed: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let Problem { a, c, .. } = self.problem(reads, 0);
        gemm::multiply_packed(workers, self.product().0, out, (&a, &c), packed);
    }
}
