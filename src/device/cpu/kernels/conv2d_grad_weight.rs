//! The adjoint of the convolution in w: `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C/g,kh,kw)`
//!
//! For each trial and group a product over all images and output positions: `g (O/g, B·OH·OW)` times the transposed
//! patches. The transposed product writes the same numbers and packs the patches in long runs, so it is taken
//! unless few output channels would leave vectors empty, or so few positions are summed that writing
//! C the wrong way round costs more than packing.

use crate::device::cpu::convolution::{ChosenGradWeight as Chosen, Way};
use crate::{
    device::cpu::{
        convolution::{
            pad::{self, padded},
            patches::Patches,
        },
        kernels::{Needs, Prepared, conv2d::Sizes},
        loops::gemm::{self, Layout, Problem, Strided, Transposed},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::ConvKernel,
};

pub(crate) struct Conv2dGradWeight {
    sizes: Sizes,
    way: Chosen,
}

impl Conv2dGradWeight {
    /// `way` is taken where it fits.
    pub(crate) fn new(kernel: &ConvKernel, way: Option<Way>) -> Self {
        // Every trial has its own gradient, whatever is shared.
        let sizes = Sizes { trials: kernel.trials, images: kernel.spec.batch, ..Sizes::new(kernel) };
        Conv2dGradWeight { sizes, way: Chosen::new(kernel, way) }
    }

    /// `[M, K, N]` of the product that writes patches down the rows.
    fn product(&self) -> [usize; 3] {
        [self.sizes.patch, self.sizes.images * self.sizes.positions, self.sizes.outputs]
    }
}

/// Multiplications of a product in whole vectors of columns.
fn vectors([m, _, n]: [usize; 3]) -> usize {
    m * n.next_multiple_of(16)
}

impl<R: Real> Prepared<R> for Conv2dGradWeight {
    fn needs(&self) -> Needs {
        let ConvKernel { spec, trials, .. } = &self.sizes.kernel;
        let [m, k, n] = self.product();
        let [scratch, shared] = self.way.memory([
            gemm::scratch_len([m, k, n]).max(gemm::scratch_len([n, k, m])),
            pad::padded_len(spec, self.sizes.input_images()),
        ]);
        Needs {
            reads: vec![
                self.sizes.operand_len(0, spec.input_len()),
                self.sizes.operand_len(1, spec.output_len()),
            ],
            write: trials * spec.weight_len(),
            scratch,
            shared,
            packed: self.way.packed(
                [[m, k, n], [n, k, m]]
                    .map(|sizes| gemm::packed_len(self.sizes.trials * spec.groups, sizes))
                    .into_iter()
                    .fold(0, usize::max),
            ),
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        if self.way.run(reads, out, workers) {
            return;
        }
        let Sizes { kernel, trials, positions, patch, outputs, .. } = self.sizes;
        let spec = &kernel.spec;
        let [m, k, n] = self.product();
        let count = trials * spec.groups;
        self.sizes.with_padding(reads[0], workers, |x, workers| {
            let operands = |problem: usize| {
                let (t, group) = (problem / spec.groups, problem % spec.groups);
                let x = self.sizes.trial(0, x, t, padded(spec).input_len());
                let g = &self.sizes.trial(1, reads[1], t, spec.output_len())[group * outputs * positions..];
                let g = Strided::planes(g, positions, spec.outputs * positions);
                (Patches::new(&padded(spec), x, group), g)
            };
            if vectors([m, k, n]) <= vectors([n, k, m]) * 3 / 2 && k > n / 4 {
                gemm::multiply(workers, count, [m, k, n], out, |problem| {
                    let (patches, g) = operands(problem);
                    let c = Layout::transposed(problem * outputs * patch, patch);
                    Problem { a: patches, b: Transposed(g), c }
                });
            } else {
                gemm::multiply(workers, count, [n, k, m], out, |problem| {
                    let (patches, g) = operands(problem);
                    let c = Layout::row_major(problem * outputs * patch, patch);
                    Problem { a: g, b: Transposed(patches), c }
                });
            }
        });
    }
}
