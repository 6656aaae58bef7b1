//! The adjoint of `gather`: `values (M,D), index (M) → (N,D)`, added in the order of the index.

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared, gather::row},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::GatherKernel,
};

pub(crate) struct ScatterAdd(pub GatherKernel);

impl<R: Real> Prepared<R> for ScatterAdd {
    fn needs(&self) -> Needs {
        let GatherKernel { rows, width, count } = self.0;
        Needs { reads: vec![count * width, count], write: rows * width, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], _: &mut Workers<R>) {
        let GatherKernel { rows, width, count } = self.0;
        out.fill(R::zero());
        for (i, &index) in reads[1][..count].iter().enumerate() {
            let Some(row) = row(index, rows) else { continue };
            for (out, &value) in out[row * width..][..width].iter_mut().zip(&reads[0][i * width..]) {
                *out += value;
            }
        }
    }
}
