//! The adjoint of the convolution in x: `g (T,B,O,OH,OW), w (T,O,C/g,kh,kw) → (T,B,C,H,W)`

use super::{
    conv2d::{operand_len, trial},
    gemm::{self, Matrix},
    im2col,
    kernel::{Needs, Prepared},
    real::Real,
    workers::Workers,
};
use crate::plan::kernel::ConvKernel;

pub struct Conv2dGradInput(ConvKernel);

impl Conv2dGradInput {
    pub fn new(kernel: &ConvKernel) -> Self {
        Conv2dGradInput(*kernel)
    }
}

impl<R: Real> Prepared<R> for Conv2dGradInput {
    fn needs(&self) -> Needs {
        let spec = &self.0.spec;
        Needs {
            reads: vec![
                operand_len(&self.0, 0, spec.output_len()),
                operand_len(&self.0, 1, spec.weight_len()),
            ],
            write: self.0.trials * spec.input_len(),
            scratch: im2col::columns_len(spec),
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let spec = &self.0.spec;
        let [oh, ow] = spec.output_size();
        let (positions, patch, groups) = (oh * ow, spec.patch_len(), spec.groups);
        let image_len = spec.channels * spec.size[0] * spec.size[1];
        let output_len = spec.outputs * positions;
        let work = self.0.trials * spec.flops() as usize;
        workers.for_each(out, image_len, work, |workspace, item, out| {
            let (t, b) = (item / spec.batch, item % spec.batch);
            let g = &trial(&self.0, 0, reads[0], t, spec.output_len())[b * output_len..][..output_len];
            let w = trial(&self.0, 1, reads[1], t, spec.weight_len());
            let columns = &mut workspace.scratch[..patch * positions];
            out.fill(R::zero());
            for group in 0..groups {
                let rows = spec.outputs / groups;
                gemm::multiply(
                    [patch, rows, positions],
                    Matrix::row_major(&w[group * rows * patch..], patch).transposed(),
                    Matrix::row_major(&g[group * rows * positions..], positions),
                    R::zero(),
                    columns,
                );
                im2col::scatter(spec, columns, &mut out[group * image_len / groups..][..image_len / groups]);
            }
        });
    }
}
