//! `x (T,B,C,H,W) * w (T,O,C/g,kh,kw) → (T,B,O,OH,OW)`

use super::{
    gemm::{self, Matrix},
    im2col,
    kernel::{Needs, Prepared},
    real::Real,
    workers::Workers,
};
use crate::plan::kernel::ConvKernel;

pub struct Conv2d(ConvKernel);

impl Conv2d {
    pub fn new(kernel: &ConvKernel) -> Self {
        Conv2d(*kernel)
    }
}

/// Elements of an operand of `len` a trial.
pub(super) fn operand_len(kernel: &ConvKernel, operand: usize, len: usize) -> usize {
    if kernel.shared[operand] { len } else { kernel.trials * len }
}

/// Trial `trial` of an operand of `len` a trial.
pub(super) fn trial<'a, R>(
    kernel: &ConvKernel,
    operand: usize,
    data: &'a [R],
    trial: usize,
    len: usize,
) -> &'a [R] {
    let trial = if kernel.shared[operand] { 0 } else { trial };
    &data[trial * len..][..len]
}

impl<R: Real> Prepared<R> for Conv2d {
    fn needs(&self) -> Needs {
        let spec = &self.0.spec;
        Needs {
            reads: vec![
                operand_len(&self.0, 0, spec.input_len()),
                operand_len(&self.0, 1, spec.weight_len()),
            ],
            write: self.0.trials * spec.output_len(),
            scratch: im2col::columns_len(spec),
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let spec = &self.0.spec;
        let [oh, ow] = spec.output_size();
        let (positions, patch, groups) = (oh * ow, spec.patch_len(), spec.groups);
        let image_len = spec.channels * spec.size[0] * spec.size[1];
        let work = self.0.trials * spec.flops() as usize;
        workers.for_each(out, spec.outputs * positions, work, |workspace, item, out| {
            let (t, b) = (item / spec.batch, item % spec.batch);
            let x = &trial(&self.0, 0, reads[0], t, spec.input_len())[b * image_len..][..image_len];
            let w = trial(&self.0, 1, reads[1], t, spec.weight_len());
            let columns = &mut workspace.scratch[..patch * positions];
            for g in 0..groups {
                im2col::gather(spec, &x[g * image_len / groups..][..image_len / groups], columns);
                let rows = spec.outputs / groups;
                gemm::multiply(
                    [rows, patch, positions],
                    Matrix::row_major(&w[g * rows * patch..], patch),
                    Matrix::row_major(columns, positions),
                    R::zero(),
                    &mut out[g * rows * positions..][..rows * positions],
                );
            }
        });
    }
}
