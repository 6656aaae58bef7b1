//! 3×3 convolutions of stride 1 without patches: a few channels of a run of pixels stay in registers while all
//! products of them are added.
//!
//! With few channels, packing patches costs more than multiplying them. The gradient by x is such a convolution
//! itself, of g and the weights turned round; that by w runs along the pixels of one plane of x and a few of g.
//! Every element adds its products in an order given by the convolution's sizes alone.

use super::direct_tiles::{PLANES, Runs, convolve, correlate};
use crate::device::cpu::convolution::pad::{self, padded};
use crate::device::cpu::convolution::plain::{is_plain, turned};
use crate::device::cpu::loops::{gemm, lanes::add_multiple};
use crate::device::cpu::memory::workers::Workers;
use crate::device::cpu::vectors::{Isa, Real};
use crate::{plan::kernel::ConvKernel, tape::spec::ConvSpec};

/// Pixels that a pass of the gradient by w runs along at least.
const PIXELS: usize = 1024;
/// Images from which on each is a task of its own, and padded by it: then they are still in its cache.
const IMAGES: usize = 32;
/// Most parts that the sum over images is cut into.
const PARTS: usize = 16;
/// Most elements of the partial sums of one trial.
const PARTIAL: usize = 1 << 18;

/// Pixels that fit a vector and lie side by side in a row; none where rows are too short.
fn lanes(row: usize) -> Option<usize> {
    [16, 8].into_iter().find(|&lanes| row > 0 && row.is_multiple_of(lanes))
}

/// A convolution `x (T,B,C,H,W) * w (T,O,C,3,3)`, or its gradient by x.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// Of the operand that is padded.
    spec: ConvSpec,
    trials: usize,
    /// Operands that all trials share.
    shared: [bool; 2],
    lanes: usize,
    /// The weights are `(T,C,O,3,3)` and turned round.
    turned: bool,
}

impl Convolution {
    /// `None` for sizes that it is not made for.
    pub fn new(kernel: &ConvKernel) -> Option<Convolution> {
        Convolution::of(kernel.spec, kernel, false)
    }

    /// The gradient by x.
    pub fn grad_input(kernel: &ConvKernel) -> Option<Convolution> {
        Convolution::of(turned(&kernel.spec)?, kernel, true)
    }

    fn of(spec: ConvSpec, kernel: &ConvKernel, turned: bool) -> Option<Convolution> {
        let lanes = lanes(spec.output_size()[1])?;
        let fits =
            is_plain(&spec) && spec.outputs.is_multiple_of(PLANES) && spec.output_len() * spec.channels > 0;
        let ConvKernel { trials, shared, .. } = *kernel;
        fits.then_some(Convolution { spec, trials, shared, lanes, turned })
    }

    fn images(&self) -> usize {
        if self.shared[0] { self.spec.batch } else { self.trials * self.spec.batch }
    }

    fn weight_sets(&self) -> usize {
        if self.shared[1] { 1 } else { self.trials }
    }

    fn by_images(&self) -> bool {
        self.trials * self.spec.batch >= IMAGES
    }

    /// Elements of scratch for each thread: a padded image.
    pub fn scratch_len(&self) -> usize {
        if self.by_images() { pad::padded_len(&self.spec, 1) } else { 0 }
    }

    /// Elements of padded images that threads share.
    fn shared_images_len(&self) -> usize {
        if self.by_images() { 0 } else { pad::padded_len(&self.spec, self.images()) }
    }

    /// Elements of shared memory: padded images, then weights in the order in which they are used.
    pub fn shared_len(&self) -> usize {
        self.shared_images_len() + self.weight_sets() * self.spec.weight_len()
    }

    /// Writes to `out`, or adds to it.
    pub fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        let spec = padded(&self.spec);
        let [height, width] = spec.output_size();
        let plane = height * width;
        let mut shared = workers.take_shared();
        let (images, weights) = shared.split_at_mut(self.shared_images_len());
        let (x, layout) = match images {
            [] => (x, &self.spec),
            images => {
                pad::pad(&self.spec, x, images, workers);
                (&*images, &spec)
            }
        };
        let image = layout.input_len() / spec.batch;
        let weights = &mut weights[..self.weight_sets() * spec.weight_len()];
        for (to, from) in weights.chunks_mut(spec.weight_len()).zip(w.chunks(spec.weight_len())) {
            self.arrange(from, to);
        }
        let runs = Runs {
            lanes: self.lanes,
            width: spec.size[1],
            plane: spec.size[0] * spec.size[1],
            row: width,
            offsets: std::array::from_fn(|tap| tap / 3 * spec.size[1] + tap % 3),
            tile_plane: plane,
            add,
        };
        let (tiles, tile_weights) = (spec.outputs / PLANES, PLANES * spec.patch_len());
        let work = gemm::work(self.trials * spec.flops() as usize / 2);
        let isa = workers.isa().fitting::<R>(self.lanes);
        // Tiles of one image.
        let convolve_tiles = |x: &[R], index: usize, first_tile: usize, out: &mut [R]| {
            let set = if self.shared[1] { 0 } else { index / spec.batch };
            let w = &weights[set * spec.weight_len() + first_tile * tile_weights..];
            for (out, w) in out.chunks_mut(PLANES * plane).zip(w.chunks(tile_weights)) {
                convolve(isa, &runs, x, w, out);
            }
        };
        let stored = |index: usize| {
            let index = if self.shared[0] { index % spec.batch } else { index };
            &x[index * image..][..image]
        };
        if self.by_images() {
            workers.for_each(out, spec.outputs * plane, work, |workspace, index, out| {
                match &mut workspace.scratch[..self.scratch_len()] {
                    [] => convolve_tiles(stored(index), index, 0, out),
                    padded => {
                        pad::image(isa, stored(index), self.spec.size, padded, spec.size, self.spec.padding);
                        convolve_tiles(padded, index, 0, out);
                    }
                }
            });
        } else {
            workers.for_each(out, PLANES * plane, work, |_, task, out| {
                convolve_tiles(stored(task / tiles), task / tiles, task % tiles, out);
            });
        }
        workers.give_shared(shared);
    }

    /// Weights as `(O/4, C, 3, 3, 4)`.
    fn arrange<R: Real>(&self, from: &[R], to: &mut [R]) {
        let (channels, outputs) = (self.spec.channels, self.spec.outputs);
        for (index, to) in to.iter_mut().enumerate() {
            let (rest, o) = (index / PLANES, index % PLANES);
            let (rest, tap) = (rest / 9, rest % 9);
            let (tile, c) = (rest / channels, rest % channels);
            let o = tile * PLANES + o;
            *to = match self.turned {
                false => from[(o * channels + c) * 9 + tap],
                true => from[(c * outputs + o) * 9 + 8 - tap],
            };
        }
    }
}

/// The gradient by w: `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C,3,3)`.
#[derive(Clone, Copy, Debug)]
pub struct GradWeight {
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
    pub fn new(kernel: &ConvKernel) -> Option<GradWeight> {
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
    pub fn shared_len(&self) -> usize {
        pad::padded_len(&self.spec, self.images()) + self.partial_len()
    }

    pub fn run<R: Real>(&self, x: &[R], g: &[R], out: &mut [R], workers: &mut Workers<R>) {
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
            offsets: std::array::from_fn(|tap| tap / 3 * spec.size[1] + tap % 3),
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
