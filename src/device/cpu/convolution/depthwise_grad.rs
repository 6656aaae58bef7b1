//! The gradient by w of depthwise convolutions, as [`super::depthwise`]: `x (T,B,C,H,W), g (T,B,C,OH,OW) → (T,C,1,kh,kw)`.

use super::{
    by_outputs_tiles::LANES,
    depthwise_form::Form,
    depthwise_tiles::{correlate, turn},
};
use crate::{
    device::cpu::{
        loops::{gemm, lanes::add_multiple, transpose::transpose},
        memory::{output::Output, workers::Workers},
        vectors::Real,
    },
    plan::kernel::ConvKernel,
};

/// Most parts that the sum over images is cut into.
const PARTS: usize = 16;
/// Most elements of the partial sums of one trial.
const PARTIAL: usize = 1 << 18;

#[derive(Clone, Debug)]
pub(crate) struct GradWeight {
    kernel: ConvKernel,
    form: Form,
    /// Images of a partial sum, and how many sums there are.
    part: usize,
    parts: usize,
}

impl GradWeight {
    /// `None` where it is not depthwise.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<GradWeight> {
        let (form, spec) = (Form::new(&kernel.spec)?, &kernel.spec);
        // By the sizes of one trial alone.
        let most = (PARTIAL / spec.weight_len()).clamp(1, PARTS);
        let part = spec.batch.div_ceil(most);
        Some(GradWeight { kernel: *kernel, form, part, parts: spec.batch.div_ceil(part) })
    }

    fn blocks(&self) -> usize {
        self.kernel.spec.channels.div_ceil(LANES)
    }

    /// Elements of the sums of 16 channels.
    fn sums_len(&self) -> usize {
        self.kernel.spec.patch_len() * LANES
    }

    /// Elements of scratch for each thread: planes of x and of g, or sums.
    pub(crate) fn scratch_len(&self) -> usize {
        (self.form.source_len() + self.form.result_len()).max(self.sums_len())
    }

    /// Elements of shared memory: partial sums.
    pub(crate) fn shared_len(&self) -> usize {
        self.kernel.trials * self.parts * self.blocks() * self.sums_len()
    }

    pub(crate) fn run<R: Real>(&self, x: &[R], g: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let ConvKernel { spec, trials, shared } = self.kernel;
        let (form, isa) = (&self.form, workers.isa());
        let (blocks, taps, sums_len) = (self.blocks(), spec.patch_len(), self.sums_len());
        let mut memory = workers.take_shared();
        let partial = &mut memory[..self.shared_len()];
        let count = |block: usize| LANES.min(spec.channels - block * LANES);
        let work = gemm::work(trials * spec.flops() as usize / 2) + 2 * trials * spec.input_len();
        workers.for_each(partial, sums_len, work, |workspace, task, sums| {
            let (rest, block) = (task / blocks, task % blocks);
            let (trial, part) = (rest / self.parts, rest % self.parts);
            let planes = |operand: usize, image: usize, [height, width]: [usize; 2]| {
                let image = if shared[operand] { image } else { trial * spec.batch + image };
                let start = (image * spec.channels + block * LANES) * height * width;
                start..start + count(block) * height * width
            };
            let (xs, rest) = workspace.scratch.split_at_mut(form.source_len());
            let gs = &mut rest[..form.result_len()];
            sums.fill(R::zero());
            for image in part * self.part..spec.batch.min((part + 1) * self.part) {
                turn(isa, &x[planes(0, image, form.source)], form.source, xs, form.pitch, form.left);
                turn(isa, &g[planes(1, image, form.results)], form.results, gs, form.results[1], 0);
                correlate(isa, form, xs, gs, sums);
            }
        });
        let (partial, out) = (&*partial, Output::new(out));
        workers.each_task(trials * blocks, partial.len(), |workspace, task| {
            let (trial, block) = (task / blocks, task % blocks);
            let of = |part: usize| {
                &partial[((trial * self.parts + part) * blocks + block) * sums_len..][..sums_len]
            };
            let sums = &mut workspace.scratch[..sums_len];
            sums.copy_from_slice(of(0));
            (1..self.parts).for_each(|part| add_multiple(isa, R::one(), of(part), sums));
            let start = (trial * spec.channels + block * LANES) * taps;
            // SAFETY: every task has weights of its own.
            let to = unsafe { out.slice(start..start + count(block) * taps) };
            transpose(isa, sums, LANES, [taps, count(block)], to, taps);
        });
        workers.give_shared(memory);
    }
}
