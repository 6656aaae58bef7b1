//! Rows of a table: `table (N,D), index (M) → (M,D)`. An index outside `[0, N)` reads zeros.

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::GatherKernel,
};

pub(crate) struct Gather(pub GatherKernel);

/// The row that `index` names, if the table has it.
pub(super) fn row<R: Real>(index: R, rows: usize) -> Option<usize> {
    let inside = index >= R::zero() && index < R::of(rows as f64);
    if inside { index.to_usize() } else { None }
}

impl<R: Real> Prepared<R> for Gather {
    fn needs(&self) -> Needs {
        let GatherKernel { rows, width, count } = self.0;
        Needs { reads: vec![rows * width, count], write: count * width, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let GatherKernel { rows, width, .. } = self.0;
        let work = out.len();
        workers.for_each(out, width, work, |_, i, out| match row(reads[1][i], rows) {
            Some(row) => out.copy_from_slice(&reads[0][row * width..][..width]),
            None => out.fill(R::zero()),
        });
    }
}
