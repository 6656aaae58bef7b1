//! The gradient by w of 3×3 convolutions of stride 1 without patches: it runs along the pixels of one plane of x and a few of g.
//!
//! Every element adds its products in an order given by the convolution's sizes alone.

use super::{
    direct_form::lanes,
    direct_tiles::{PLANES, Runs, correlate},
    pad::{self, padded},
    plain::is_plain,
};
use crate::{
    device::cpu::{
        loops::{gemm, lanes::add_multiple},
        memory::workers::Workers,
        vectors::{Isa, Real},
    },
    plan::kernel::ConvKernel,
    tape::spec::ConvSpec,
};

/// Pixels that a pass runs along at least.
const PIXELS: usize = 1024;
/// Most parts that the sum over images is cut into.
const PARTS: usize = 16;
/// Most elements of the partial sums of one trial.
const PARTIAL: usize = 1 << 18;

/// The gradient by w: `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C,3,3)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GradWeight {
    spec: ConvSpec,
    trials: usize,
    shared: [bool; 2],
    lanes: usize,
    /// Images of a pass.
    pass: usize,
    /// Images of a partial sum, and how many sums there are.
    part: usize,
    parts: usize,
}

impl GradWeight {
    /// `None` for sizes that it is not made for.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<GradWeight> {
        let ConvKernel { spec, trials, shared } = *kernel;
        let [height, width] = spec.output_size();
        let lanes = lanes(width).filter(|&lanes| lanes == 16 || height.is_multiple_of(2))?;
        let fits = is_plain(&spec) && spec.outputs.is_multiple_of(PLANES);
        if !fits || spec.output_len() * spec.channels == 0 {
            return None;
        }
        let pass = (PIXELS / (height * width)).clamp(1, spec.batch);
        let most = (PARTIAL / spec.weight_len()).clamp(1, PARTS);
        let part = spec.batch.div_ceil(most).next_multiple_of(pass);
        let parts = spec.batch.div_ceil(part);
        Some(GradWeight { spec, trials, shared, lanes, pass, part, parts })
    }

    fn images(&self) -> usize {
        if self.shared[0] { self.spec.batch } else { self.trials * self.spec.batch }
    }

    fn partial_len(&self) -> usize {
        if self.parts == 1 { 0 } else { self.trials * self.parts * self.spec.weight_len() }
    }

    /// Elements of shared memory: padded images, then partial sums.
    pub(crate) fn shared_len(&self) -> usize {
        pad::padded_len(&self.spec, self.images()) + self.partial_len()
    }

    pub(crate) fn run<R: Real>(&self, x: &[R], g: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let isa = workers.isa();
        let mut shared = workers.take_shared();
        let (images, partial) = shared.split_at_mut(pad::padded_len(&self.spec, self.images()));
        let x = match images {
            [] => x,
            images => {
                pad::pad(&self.spec, x, images, workers);
                images
            }
        };
        let partial = &mut partial[..self.partial_len()];
        let (tiles, length) = (self.spec.outputs / PLANES, PLANES * self.spec.patch_len());
        let work = gemm::work(self.trials * self.spec.flops() as usize / 2);
        let sums = if self.parts == 1 { &mut *out } else { &mut *partial };
        workers.for_each(sums, length, work, |_, task, out| {
            let (rest, tile) = (task / tiles, task % tiles);
            let (trial, part) = (rest / self.parts, rest % self.parts);
            self.sum(isa, x, g, trial, part, tile, out);
        });
        if self.parts > 1 {
            let length = self.spec.weight_len();
            for (out, parts) in out.chunks_mut(length).zip(partial.chunks(length * self.parts)) {
                out.fill(R::zero());
                parts.chunks(length).for_each(|part| add_multiple(isa, R::one(), part, out));
            }
        }
        workers.give_shared(shared);
    }

    /// One part of the sum for the planes of one tile, `(4,C,3,3)`.
    #[allow(clippy::too_many_arguments)]
    fn sum<R: Real>(
        &self,
        isa: Isa,
        x: &[R],
        g: &[R],
        trial: usize,
        part: usize,
        tile: usize,
        out: &mut [R],
    ) {
        let isa = isa.fitting::<R>(self.lanes);
        let spec = padded(&self.spec);
        let [height, width] = spec.output_size();
        let runs = Runs {
            lanes: self.lanes,
            width: spec.size[1],
            plane: spec.size[0] * spec.size[1],
            row: width,
            offsets: &[],
            tile_plane: height * width,
            add: false,
        };
        let image = |operand: usize, index: usize| match self.shared[operand] {
            true => index,
            false => trial * spec.batch + index,
        };
        let lens = [spec.channels * runs.plane, spec.outputs * runs.tile_plane];
        out.fill(R::zero());
        let mut sums = [R::zero(); 3 * PLANES];
        let end = spec.batch.min((part + 1) * self.part);
        for first in (part * self.part..end).step_by(self.pass) {
            let count = self.pass.min(end - first);
            let g = &g[image(1, first) * lens[1] + tile * PLANES * runs.tile_plane..];
            for channel in 0..spec.channels {
                for kx in 0..3 {
                    let x = &x[image(0, first) * lens[0] + channel * runs.plane + kx..];
                    correlate(isa, &runs, [x, g], lens, [height, width], count, &mut sums);
                    for (at, &sum) in sums.iter().enumerate() {
                        let (ky, o) = (at / PLANES, at % PLANES);
                        let to = &mut out[(o * spec.channels + channel) * 9 + ky * 3 + kx];
                        *to += sum;
                    }
                }
            }
        }
    }
}
