//! Small convolutions without patches: vectors run along the output channels.
//!
//! Every product multiplies one element of the padded image by the weights of 16 outputs, so any kernel and stride goes
//! at full speed without being packed first. The gradient by x of a convolution of stride s is such a convolution
//! of g with s² times as many outputs, one for each place in an s×s cell of the image. Every element adds
//! its products in an order given by the convolution's sizes alone.

use super::{
    by_outputs_tiles::{LANES, TILE, Taps},
    gemm,
    real::Real,
    workers::Workers,
};
use crate::{plan::kernel::ConvKernel, tape::spec::ConvSpec};

/// Most vectors of outputs that a tile keeps.
const VECTORS: usize = 3;
/// Most multiplications of an image: larger ones are worth packing, and several threads.
const MULTIPLICATIONS: usize = 4 << 20;
/// Longest sum of an output.
const PATCH: usize = 640;
/// A weight that is zero.
const NONE: u32 = u32::MAX;

/// A convolution, or its gradient by x.
#[derive(Clone, Debug)]
pub struct Convolution {
    trials: usize,
    batch: usize,
    shared: [bool; 2],
    /// Channels, height and width of an image as it is stored.
    image: [usize; 3],
    /// Zeros above and to the left.
    before: [usize; 2],
    taps: Taps,
    /// Rows and columns of tiles' positions.
    positions: [usize; 2],
    /// Outputs at a position.
    outputs: usize,
    /// Vectors of a tile.
    vectors: usize,
    /// Where each weight of `(blocks, C, kh, kw, vectors·16)` is stored, or [`NONE`].
    weights: Vec<u32>,
    weight_len: usize,
    /// Where each tap lies in a padded image, from the position on.
    offsets: Vec<usize>,
    /// Where each output lies in an image of the result.
    places: Vec<usize>,
    /// Distances between neighbouring positions in an image of the result.
    steps: [usize; 2],
    /// Elements of an image of the result.
    result: usize,
    multiplications: usize,
}

impl Convolution {
    /// `None` for sizes that it is not made for.
    pub fn new(kernel: &ConvKernel) -> Option<Convolution> {
        let spec = &kernel.spec;
        let [oh, ow] = is_plain(spec).then(|| spec.output_size())?;
        let stride = spec.stride[0];
        let size = [0, 1].map(|d| spec.size[d] + 2 * spec.padding[d]);
        let taps = Taps {
            channels: spec.channels,
            plane: size[0] * size[1],
            width: size[1],
            kernel: spec.kernel,
            stride,
        };
        let patch = spec.patch_len();
        Convolution {
            trials: kernel.trials,
            batch: spec.batch,
            shared: kernel.shared,
            image: [spec.channels, spec.size[0], spec.size[1]],
            before: spec.padding,
            taps,
            positions: [oh, ow],
            outputs: spec.outputs,
            vectors: 0,
            weights: Vec::new(),
            offsets: Vec::new(),
            weight_len: spec.weight_len(),
            places: (0..spec.outputs).map(|o| o * oh * ow).collect(),
            steps: [ow, 1],
            result: spec.outputs * oh * ow,
            multiplications: 0,
        }
        .arranged(|output, [c, ky, kx]| {
            Some(output * patch + (c * spec.kernel[0] + ky) * spec.kernel[1] + kx)
        })
    }

    /// The gradient by x.
    pub fn grad_input(kernel: &ConvKernel) -> Option<Convolution> {
        let spec = &kernel.spec;
        let [oh, ow] = is_plain(spec).then(|| spec.output_size())?;
        let stride = spec.stride[0];
        if spec.size.iter().any(|n| !n.is_multiple_of(stride)) {
            return None;
        }
        // Pixel s·i + p is the sum over all k ≡ p + padding (mod s) of g[i + (p + padding − k)/s]·w[k].
        let reach = |d: usize| -> [isize; 2] {
            let shifts = |p: usize| {
                (0..spec.kernel[d])
                    .filter(move |k| {
                        (p + spec.padding[d] + stride * spec.kernel[d] - k).is_multiple_of(stride)
                    })
                    .map(move |k| ((p + spec.padding[d]) as isize - k as isize).div_euclid(stride as isize))
            };
            let all = || (0..stride).flat_map(shifts);
            [all().min().unwrap_or(0), all().max().unwrap_or(0)]
        };
        let (rows, columns) = (reach(0), reach(1));
        let reaches = [rows, columns];
        let before = reaches.map(|[least, _]| usize::try_from(-least).ok());
        let before = [before[0]?, before[1]?];
        let taps_of = reaches.map(|[least, most]| (most - least + 1) as usize);
        let positions = spec.size.map(|n| n / stride);
        let size = [0, 1].map(|d| positions[d] + taps_of[d] - 1);
        if [oh, ow].iter().zip(before).zip(size).any(|((n, before), size)| n + before > size) {
            return None;
        }
        let taps = Taps {
            channels: spec.outputs,
            plane: size[0] * size[1],
            width: size[1],
            kernel: taps_of,
            stride: 1,
        };
        let [height, width] = spec.size;
        let (channels, kernel_size, padding) = (spec.channels, spec.kernel, spec.padding);
        Convolution {
            trials: kernel.trials,
            batch: spec.batch,
            shared: kernel.shared,
            image: [spec.outputs, oh, ow],
            before,
            taps,
            positions,
            outputs: channels * stride * stride,
            vectors: 0,
            weights: Vec::new(),
            offsets: Vec::new(),
            weight_len: spec.weight_len(),
            places: (0..channels * stride * stride)
                .map(|output| {
                    let (c, cell) = (output / (stride * stride), output % (stride * stride));
                    (c * height + cell / stride) * width + cell % stride
                })
                .collect(),
            steps: [stride * width, stride],
            result: channels * height * width,
            multiplications: 0,
        }
        .arranged(|output, [o, ty, tx]| {
            let (c, cell) = (output / (stride * stride), output % (stride * stride));
            let tap = |d: usize, place: usize, t: usize| {
                let shift = reaches[d][0] + t as isize;
                let k = (place + padding[d]) as isize - shift * stride as isize;
                usize::try_from(k).ok().filter(|&k| k < kernel_size[d])
            };
            let (ky, kx) = (tap(0, cell / stride, ty)?, tap(1, cell % stride, tx)?);
            Some(((o * channels + c) * kernel_size[0] + ky) * kernel_size[1] + kx)
        })
    }

    /// With the order of the weights; `None` where this way does not pay. Never by the number of trials: a trial's
    /// result must not depend on the others.
    fn arranged(mut self, stored: impl Fn(usize, [usize; 3]) -> Option<usize>) -> Option<Convolution> {
        let Taps { channels, kernel: [kh, kw], .. } = self.taps;
        let patch = channels * kh * kw;
        let vectors = self.outputs.div_ceil(LANES);
        let [rows, columns] = self.positions;
        self.multiplications = rows * columns * patch * vectors * LANES;
        let pays = columns >= TILE / 2
            && patch > 0
            && patch <= PATCH
            && self.outputs * 2 >= vectors * LANES
            && self.multiplications <= MULTIPLICATIONS;
        if !pays || self.weight_len >= NONE as usize {
            return None;
        }
        self.vectors = if vectors == VECTORS { VECTORS } else { vectors.min(2) };
        let lanes = self.vectors * LANES;
        self.weights = (0..vectors.div_ceil(self.vectors) * patch * lanes)
            .map(|index| {
                let (rest, lane) = (index / lanes, index % lanes);
                let (block, tap) = (rest / patch, rest % patch);
                let output = block * lanes + lane;
                let place = (output < self.outputs)
                    .then(|| stored(output, [tap / (kh * kw), tap / kw % kh, tap % kw]))
                    .flatten();
                place.map_or(NONE, |place| place as u32)
            })
            .collect();
        self.offsets = (0..patch)
            .map(|tap| tap / (kh * kw) * self.taps.plane + tap / kw % kh * self.taps.width + tap % kw)
            .collect();
        Some(self)
    }

    fn image_len(&self) -> usize {
        self.image.iter().product()
    }

    fn padded_len(&self) -> usize {
        self.taps.channels * self.taps.plane
    }

    /// Elements of shared memory: weights of all trials in order.
    pub fn shared_len(&self) -> usize {
        if self.shared[1] { self.weights.len() } else { 0 }
    }

    /// Elements of scratch for each thread: a padded image and its trial's weights in order.
    pub fn scratch_len(&self) -> usize {
        self.padded_len() + if self.shared[1] { 0 } else { self.weights.len() }
    }

    /// Writes the outputs, or adds them.
    pub fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        let mut shared = workers.take_shared();
        let common = &mut shared[..self.shared_len()];
        if self.shared[1] {
            self.arrange(w, common);
        }
        let common = &*common;
        let work = gemm::work(self.trials * self.batch * self.multiplications);
        workers.for_each(out, self.result, work, |workspace, index, out| {
            let trial = index / self.batch;
            let (image, own) = workspace.scratch.split_at_mut(self.padded_len());
            let within = if self.shared[0] { index % self.batch } else { index };
            self.pad(&x[within * self.image_len()..][..self.image_len()], image);
            let weights = if self.shared[1] {
                common
            } else {
                let own = &mut own[..self.weights.len()];
                self.arrange(&w[trial * self.weight_len..][..self.weight_len], own);
                own
            };
            self.convolve(image, weights, out, add);
        });
        workers.give_shared(shared);
    }

    fn arrange<R: Real>(&self, from: &[R], to: &mut [R]) {
        for (to, &place) in to.iter_mut().zip(&self.weights) {
            *to = if place == NONE { R::zero() } else { from[place as usize] };
        }
    }

    fn pad<R: Real>(&self, from: &[R], to: &mut [R]) {
        let [_, height, width] = self.image;
        to.fill(R::zero());
        for (from, to) in from.chunks(height * width).zip(to.chunks_mut(self.taps.plane)) {
            let rows = to.chunks_mut(self.taps.width).skip(self.before[0]);
            for (from, to) in from.chunks(width).zip(rows) {
                to[self.before[1]..][..width].copy_from_slice(from);
            }
        }
    }

    /// All outputs of one padded image.
    fn convolve<R: Real>(&self, image: &[R], weights: &[R], out: &mut [R], add: bool) {
        let [rows, columns] = self.positions;
        let lanes = self.vectors * LANES;
        let block = lanes * self.taps.channels * self.taps.kernel[0] * self.taps.kernel[1];
        let tile = if columns < TILE { TILE / 2 } else { TILE };
        let form = [self.vectors, self.taps.stride];
        let mut sums = [R::zero(); TILE * VECTORS * LANES];
        let sums = &mut sums[..tile * lanes];
        for (weights, places) in weights.chunks(block).zip(self.places.chunks(lanes)) {
            for y in 0..rows {
                for next in (0..columns).step_by(tile) {
                    // The last tile of a row computes some positions again, and leaves them as they are.
                    let x = next.min(columns - tile);
                    let first = (y * self.taps.width + x) * self.taps.stride;
                    R::convolve_outputs(&self.offsets, &image[first..], weights, form, sums);
                    let first = y * self.steps[0] + x * self.steps[1];
                    for (p, sums) in sums.chunks(lanes).enumerate().skip(next - x) {
                        let out = &mut out[first + p * self.steps[1]..];
                        if add {
                            places.iter().zip(sums).for_each(|(&place, &sum)| out[place] = out[place] + sum);
                        } else {
                            places.iter().zip(sums).for_each(|(&place, &sum)| out[place] = sum);
                        }
                    }
                }
            }
        }
    }
}

/// Whether vectors of outputs can compute it at all.
pub fn is_plain(spec: &ConvSpec) -> bool {
    let [stride, other] = spec.stride;
    spec.groups == 1
        && spec.dilation == [1; 2]
        && stride == other
        && (1..=2).contains(&stride)
        && spec.output_len() * spec.channels > 0
}
