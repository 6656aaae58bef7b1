//! The adjoint of the convolution in w: `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C/g,kh,kw)`

use super::{
    conv2d::{operand_len, trial},
    gemm::{self, Matrix},
    im2col,
    kernel::{Needs, Prepared},
    real::Real,
    workers::Workers,
};
use crate::plan::kernel::ConvKernel;

pub struct Conv2dGradWeight(ConvKernel);

impl Conv2dGradWeight {
    pub fn new(kernel: &ConvKernel) -> Self {
        Conv2dGradWeight(*kernel)
    }
}

impl<R: Real> Prepared<R> for Conv2dGradWeight {
    fn needs(&self) -> Needs {
        let spec = &self.0.spec;
        Needs {
            reads: vec![
                operand_len(&self.0, 0, spec.input_len()),
                operand_len(&self.0, 1, spec.output_len()),
            ],
            write: self.0.trials * spec.weight_len(),
            scratch: im2col::columns_len(spec),
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let spec = &self.0.spec;
        let [oh, ow] = spec.output_size();
        let (positions, patch, groups) = (oh * ow, spec.patch_len(), spec.groups);
        let group_len = spec.channels / groups * spec.size[0] * spec.size[1];
        let rows = spec.outputs / groups;
        let work = self.0.trials * spec.flops() as usize;
        workers.for_each(out, rows * patch, work, |workspace, item, out| {
            let (t, group) = (item / groups, item % groups);
            let x = trial(&self.0, 0, reads[0], t, spec.input_len());
            let g = trial(&self.0, 1, reads[1], t, spec.output_len());
            let columns = &mut workspace.scratch[..patch * positions];
            out.fill(R::zero());
            for b in 0..spec.batch {
                im2col::gather(spec, &x[(b * groups + group) * group_len..][..group_len], columns);
                let g = &g[(b * groups + group) * rows * positions..][..rows * positions];
                gemm::multiply(
                    [rows, positions, patch],
                    Matrix::row_major(g, positions),
                    Matrix::row_major(columns, positions).transposed(),
                    R::one(),
                    out,
                );
            }
        });
    }
}
