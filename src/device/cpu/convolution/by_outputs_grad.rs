//! The gradient by w of small convolutions, as [`super::by_outputs`]: `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C,K,K)`.
//!
//! Vectors run along the output channels of g, turned so that they lie side by side; all taps of one channel of x stay
//! in registers while the positions go by.

use crate::{
    device::cpu::{
        convolution::{
            by_outputs_tiles::{LANES, Taps, correlate},
            pad,
            plain::is_small_stride,
        },
        loops::{gemm, lanes::add_multiple, transpose::transpose},
        memory::{output::Output, workers::Workers},
        vectors::{Isa, Real},
    },
    plan::kernel::ConvKernel,
    tape::spec::ConvSpec,
};

/// Positions that are added up before the sum goes to memory: short sums lose fewer digits.
const POSITIONS: usize = 1024;
/// Most taps.
const TAPS: usize = 25;
/// Multiplications of a trial that are worth another task.
const TASK: usize = 1 << 20;
/// Channels of a task at least, where there are so many: every task turns its outputs round.
const CHANNELS: usize = 8;
/// Most multiplications of an image: larger ones are worth packing.
const MULTIPLICATIONS: usize = 4 << 20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct GradWeight {
    spec: ConvSpec,
    trials: usize,
    shared: [bool; 2],
    taps: Taps,
    /// Images of a pass.
    pass: usize,
    /// Channels of a task.
    channels: usize,
}

impl GradWeight {
    /// `None` for sizes that it is not made for.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<GradWeight> {
        let ConvKernel { spec, trials, shared } = *kernel;
        let [oh, ow] = is_small_stride(&spec).then(|| spec.output_size())?;
        let size = [0, 1].map(|d| spec.size[d] + 2 * spec.padding[d]);
        let vectors = spec.outputs.div_ceil(LANES);
        let multiplications = oh * ow * spec.patch_len() * vectors * LANES;
        let pays = matches!(spec.kernel, [3, 3] | [5, 5])
            && spec.outputs * 2 >= vectors * LANES
            && multiplications <= MULTIPLICATIONS;
        let taps = Taps {
            channels: spec.channels,
            plane: size[0] * size[1],
            width: size[1],
            kernel: spec.kernel,
            stride: spec.stride[0],
        };
        let pass = (POSITIONS / (oh * ow)).clamp(1, spec.batch);
        let tasks = (spec.batch * multiplications).div_ceil(TASK).clamp(1, spec.channels);
        pays.then_some(GradWeight {
            spec,
            trials,
            shared,
            taps,
            pass,
            channels: spec.channels.div_ceil(tasks).max(CHANNELS.min(spec.channels)),
        })
    }

    /// Elements of g of a pass, turned round.
    fn turned_len(&self) -> usize {
        let [oh, ow] = self.spec.output_size();
        self.pass * oh * ow * LANES
    }

    /// Elements of scratch for each thread: turned g, then planes of padded images.
    pub(crate) fn scratch_len(&self) -> usize {
        self.turned_len() + self.pass * self.taps.plane
    }

    pub(crate) fn run<R: Real>(&self, x: &[R], g: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let spec = &self.spec;
        let work = gemm::work(self.trials * spec.flops() as usize / 2);
        let vectors = spec.outputs.div_ceil(LANES);
        let groups = spec.channels.div_ceil(self.channels);
        let (isa, out) = (workers.isa(), Output::new(out));
        workers.each_task(self.trials * vectors * groups, work, |workspace, task| {
            let (rest, group) = (task / groups, task % groups);
            let (trial, vector) = (rest / vectors, rest % vectors);
            let own = |operand: usize, len: usize| if self.shared[operand] { 0 } else { trial * len };
            let x = &x[own(0, spec.input_len())..][..spec.input_len()];
            let g = &g[own(1, spec.output_len())..][..spec.output_len()];
            let first = group * self.channels;
            let channels = first..spec.channels.min(first + self.channels);
            // SAFETY: a task owns its outputs' weights of its channels.
            unsafe { self.sum(isa, x, g, vector * LANES, channels, trial, &out, &mut workspace.scratch) };
        });
    }

    /// The gradient by the weights of 16 outputs and some channels.
    ///
    /// # Safety
    /// No other thread may use these weights meanwhile.
    #[allow(clippy::too_many_arguments)]
    unsafe fn sum<R: Real>(
        &self,
        isa: Isa,
        x: &[R],
        g: &[R],
        output: usize,
        channels: std::ops::Range<usize>,
        trial: usize,
        out: &Output<R>,
        scratch: &mut [R],
    ) {
        let spec = &self.spec;
        let taps = spec.kernel[0] * spec.kernel[1];
        let [oh, ow] = spec.output_size();
        let outputs = output..spec.outputs.min(output + LANES);
        let (turned, planes) = scratch.split_at_mut(self.turned_len());
        // Sums of each tap side by side, then of each output.
        let mut sums = [[R::zero(); TAPS * LANES]; 2];
        let [sums, rows] = sums.each_mut().map(|sums| &mut sums[..taps * LANES]);
        for first in (0..spec.batch).step_by(self.pass) {
            let images = first..spec.batch.min(first + self.pass);
            let turned = &mut turned[..images.len() * oh * ow * LANES];
            for (image, turned) in images.clone().zip(turned.chunks_mut(oh * ow * LANES)) {
                let planes = &g[(image * spec.outputs + output) * oh * ow..][..outputs.len() * oh * ow];
                turned.chunks_exact_mut(LANES).for_each(|lanes| lanes[outputs.len()..].fill(R::zero()));
                transpose(isa, planes, oh * ow, [outputs.len(), oh * ow], turned, LANES);
            }
            for channel in channels.clone() {
                let planes = &mut planes[..images.len() * self.taps.plane];
                for (image, plane) in images.clone().zip(planes.chunks_mut(self.taps.plane)) {
                    let len = spec.size[0] * spec.size[1];
                    let from = &x[(image * spec.channels + channel) * len..][..len];
                    let to_size = [self.taps.plane / self.taps.width, self.taps.width];
                    pad::image(isa, from, spec.size, plane, to_size, spec.padding);
                }
                correlate(isa, &self.taps, planes, turned, ow, sums);
                transpose(isa, sums, LANES, [taps, LANES], rows, taps);
                for (rows, o) in rows.chunks_exact(taps).zip(outputs.clone()) {
                    let at = ((trial * spec.outputs + o) * spec.channels + channel) * taps;
                    // SAFETY: the caller's promise.
                    let to = unsafe { out.slice(at..at + taps) };
                    if first == 0 {
                        to.copy_from_slice(rows);
                    } else {
                        add_multiple(isa, R::one(), rows, to);
                    }
                }
            }
        }
    }
}
