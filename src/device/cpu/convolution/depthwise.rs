//! Depthwise convolutions: as many groups as channels and outputs, each plane its own sum.
//!
//! A plane alone leaves most of a vector empty where rows are short, so sixteen are turned round and lie side by side:
//! every lane is a channel, and taps outside cost nothing. The gradient by x is such a convolution itself, at a
//! stride one for each residue of rows and columns. Every element adds its products in an order given by the convolution's
//! sizes alone.

use super::{
    by_outputs_tiles::LANES,
    depthwise_form::Form,
    depthwise_tiles::{convolve, turn},
    weights::Weights,
};
use crate::{
    device::cpu::{
        loops::{gemm, lanes::add_multiple, transpose::transpose},
        memory::{output::Output, workers::Workers},
        vectors::Real,
    },
    plan::kernel::ConvKernel,
};

/// A convolution `x (T,B,C,H,W) * w (T,C,1,kh,kw)`, or its gradient by x.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    kernel: ConvKernel,
    form: Form,
    /// `(channels/16, taps, 16)`
    weights: Weights,
}

impl Convolution {
    /// `None` where it is not depthwise.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<Convolution> {
        Convolution::of(kernel, Form::new(&kernel.spec)?)
    }

    /// The gradient by x.
    pub(crate) fn grad_input(kernel: &ConvKernel) -> Option<Convolution> {
        Convolution::of(kernel, Form::grad_input(&kernel.spec)?)
    }

    fn of(kernel: &ConvKernel, form: Form) -> Option<Convolution> {
        let (channels, taps) = (kernel.spec.channels, kernel.spec.patch_len());
        let weights =
            Weights::new(kernel, [channels, taps, LANES], true, |channel, tap| Some(channel * taps + tap))?;
        Some(Convolution { kernel: *kernel, form, weights })
    }

    /// Elements of scratch for each thread: planes side by side, their results, and those one after the other.
    pub(crate) fn scratch_len(&self) -> usize {
        self.form.source_len() + 2 * self.form.result_len()
    }

    /// Elements of shared memory: weights side by side.
    pub(crate) fn shared_len(&self) -> usize {
        self.weights.len()
    }

    /// Writes to `out`, or adds to it.
    pub(crate) fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        let ConvKernel { spec, trials, shared } = self.kernel;
        let (form, isa) = (&self.form, workers.isa());
        let mut memory = workers.take_shared();
        let weights = &mut memory[..self.weights.len()];
        self.weights.arrange(w, weights, workers);
        let weights = &*weights;
        let [plane, result] = [form.source, form.results].map(|[height, width]| height * width);
        let blocks = spec.channels.div_ceil(LANES);
        // Turning planes round takes as long as some of the products.
        let work = gemm::work(trials * spec.flops() as usize / 2) + trials * spec.input_len();
        let out = Output::new(out);
        workers.each_task(trials * spec.batch * blocks, work, |workspace, task| {
            let (image, block) = (task / blocks, task % blocks);
            let count = LANES.min(spec.channels - block * LANES);
            let stored = if shared[0] { image % spec.batch } else { image };
            let from = &x[(stored * spec.channels + block * LANES) * plane..][..count * plane];
            let w = &self.weights.of(image, weights)[block * self.weights.block_len()..];
            let (planes, rest) = workspace.scratch.split_at_mut(form.source_len());
            let (turned, rest) = rest.split_at_mut(form.result_len());
            turn(isa, from, form.source, planes, form.pitch, form.left);
            convolve(isa, form, planes, &w[..self.weights.block_len()], turned);
            let start = (image * spec.channels + block * LANES) * result;
            // SAFETY: every task has planes of its own.
            let to = unsafe { out.slice(start..start + count * result) };
            if add {
                let sums = &mut rest[..count * result];
                transpose(isa, turned, LANES, [result, count], sums, result);
                add_multiple(isa, R::one(), sums, to);
            } else {
                transpose(isa, turned, LANES, [result, count], to, result);
            }
        });
        workers.give_shared(memory);
    }
}
