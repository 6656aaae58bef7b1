//! `x (T,B,C,H,W) * w (T,O,C/g,kh,kw) → (T,B,O,OH,OW)`
//!
//! One product for each trial and group: weights `(O/g, C/g·kh·kw)` times patches. Where all trials share the weights, their
//! images are one batch.

use crate::{
    device::cpu::{
        convolution::{
            Chosen, Derivative, Way,
            pad::{self, padded},
            patches::Patches,
        },
        kernels::{Needs, Prepared, conv_sum::Adding},
        loops::gemm::{self, Layout, Problem, Strided},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::ConvKernel,
};

pub(crate) struct Conv2d {
    sizes: Sizes,
    way: Chosen,
}

/// A convolution as products: `trials × groups` of them, each over all of a trial's images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub kernel: ConvKernel,
    /// Trials whose weights differ.
    pub trials: usize,
    /// Images that share weights.
    pub images: usize,
    /// `OH·OW`
    pub positions: usize,
    /// `C/g·kh·kw`
    pub patch: usize,
    /// `O/g`
    pub outputs: usize,
}

impl Sizes {
    /// Trials are folded into the batch if operand 1 (the weights) is shared and operand 0 is not.
    pub(crate) fn new(kernel: &ConvKernel) -> Self {
        let spec = &kernel.spec;
        let fold = kernel.shared == [false, true];
        let [oh, ow] = spec.output_size();
        Sizes {
            kernel: *kernel,
            trials: if fold { 1 } else { kernel.trials },
            images: if fold { kernel.trials * spec.batch } else { spec.batch },
            positions: oh * ow,
            patch: spec.patch_len(),
            outputs: spec.outputs / spec.groups,
        }
    }

    /// Elements of an operand of `len` a trial.
    pub(crate) fn operand_len(&self, operand: usize, len: usize) -> usize {
        if self.kernel.shared[operand] { len } else { self.kernel.trials * len }
    }

    /// Images that x holds.
    pub(crate) fn input_images(&self) -> usize {
        self.operand_len(0, self.kernel.spec.batch)
    }

    /// An operand of `len` a trial from trial `trial` on.
    pub(crate) fn trial<'a, R>(&self, operand: usize, data: &'a [R], trial: usize, len: usize) -> &'a [R] {
        if self.kernel.shared[operand] { data } else { &data[trial * len..] }
    }
}

impl Sizes {
    /// Calls `body` with x (operand 0) as [`padded`] images.
    pub(crate) fn with_padding<R: Real>(
        &self,
        x: &[R],
        workers: &mut Workers<R>,
        body: impl FnOnce(&[R], &mut Workers<R>),
    ) {
        let len = pad::padded_len(&self.kernel.spec, self.input_images());
        if len == 0 {
            return body(x, workers);
        }
        let mut shared = workers.take_shared();
        pad::pad(&self.kernel.spec, x, &mut shared[..len], workers);
        body(&shared, workers);
        workers.give_shared(shared);
    }
}

impl Conv2d {
    /// `way` is taken where it fits.
    pub(crate) fn new(kernel: &ConvKernel, way: Option<Way>) -> Self {
        Conv2d { sizes: Sizes::new(kernel), way: Chosen::new(kernel, Derivative::Output, way) }
    }

    /// `[M, K, N]`
    fn product(&self) -> [usize; 3] {
        [self.sizes.outputs, self.sizes.patch, self.sizes.images * self.sizes.positions]
    }
}

impl<R: Real> Prepared<R> for Conv2d {
    fn needs(&self) -> Needs {
        let ConvKernel { spec, trials, .. } = &self.sizes.kernel;
        let [scratch, shared] = self
            .way
            .memory([gemm::scratch_len(self.product()), pad::padded_len(spec, self.sizes.input_images())]);
        Needs {
            reads: vec![
                self.sizes.operand_len(0, spec.input_len()),
                self.sizes.operand_len(1, spec.weight_len()),
            ],
            write: trials * spec.output_len(),
            scratch,
            shared,
            packed: self.way.packed(gemm::packed_len(self.sizes.trials * spec.groups, self.product())),
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        self.run_into(reads, out, false, workers);
    }
}

impl<R: Real> Adding<R> for Conv2d {
    fn add(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        self.run_into(reads, out, true, workers);
    }
}

impl Conv2d {
    /// Writes to `out`, or adds to it.
    fn run_into<R: Real>(&self, reads: &[&[R]], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        if self.way.run(reads, out, add, workers) {
            return;
        }
        let Sizes { kernel, trials, positions, patch, outputs, .. } = self.sizes;
        let spec = &kernel.spec;
        if add && patch == 0 {
            return;
        }
        self.sizes.with_padding(reads[0], workers, |x, workers| {
            gemm::multiply(workers, trials * spec.groups, self.product(), out, |problem| {
                let (t, group) = (problem / spec.groups, problem % spec.groups);
                let x = self.sizes.trial(0, x, t, padded(spec).input_len());
                let w = self.sizes.trial(1, reads[1], t, spec.weight_len());
                let first = t * spec.output_len() + group * outputs * positions;
                Problem {
                    a: Strided::matrix(&w[group * outputs * patch..], patch, 1),
                    b: Patches::new(&padded(spec), x, group),
                    c: Layout { add, ..Layout::planes(first, positions, spec.outputs * positions) },
                }
            });
        });
    }
}
