//! Small convolutions without patches: vectors run along the output channels.
//!
//! Every product multiplies one element of the padded image by the weights of 16 outputs, so any kernel and stride goes
//! at full speed without being packed first. The gradient by x of a convolution of stride s is such a convolution
//! of g with s² times as many outputs, one for each place in an s×s cell of the image. Every element adds
//! its products in an order given by the convolution's sizes alone.

use crate::{
    device::cpu::{
        convolution::{
            by_outputs_tiles::{LANES, NARROW, TILE, Taps, convolve},
            pad::{self, padded},
            plain::is_small_stride,
            weights::Weights,
        },
        loops::{gemm, transpose::transpose},
        memory::workers::Workers,
        vectors::{Isa, Real},
    },
    plan::kernel::ConvKernel,
    tape::spec::ConvSpec,
};

/// Most vectors of outputs that a tile keeps.
const VECTORS: usize = 3;
/// Most multiplications of an image: larger ones are worth packing, and several threads.
const MULTIPLICATIONS: usize = 4 << 20;
/// Longest sum of an output.
const PATCH: usize = 640;

/// A convolution, or its gradient by x.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    kernel: ConvKernel,
    form: Form,
    /// Outputs of a tile, a multiple of 16, and its positions.
    lanes: usize,
    tile: usize,
    weights: Weights,
    /// Where each tap lies in a padded image, from the position on, ascending.
    offsets: Vec<usize>,
}

/// Which elements of an image go into which outputs.
#[derive(Clone, Debug)]
struct Form {
    /// Channels, height and width of an image as it is stored.
    image: [usize; 3],
    /// Zeros above and to the left.
    before: [usize; 2],
    taps: Taps,
    /// Rows and columns of positions.
    positions: [usize; 2],
    /// Where each output of a position lies in an image of the result.
    places: Vec<usize>,
    /// Distances between neighbouring positions in an image of the result.
    steps: [usize; 2],
    /// Elements of an image of the result.
    result: usize,
}

impl Convolution {
    /// `None` for sizes that it is not made for.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<Convolution> {
        let spec = &kernel.spec;
        let [oh, ow] = is_small_stride(spec).then(|| spec.output_size())?;
        let [height, width] = padded(spec).size;
        let ConvSpec { channels, outputs, size, kernel: [kh, kw], padding, stride, .. } = *spec;
        let taps = Taps { channels, plane: height * width, width, kernel: spec.kernel, stride: stride[0] };
        let form = Form {
            image: [channels, size[0], size[1]],
            before: padding,
            taps,
            positions: [oh, ow],
            places: (0..outputs).map(|o| o * oh * ow).collect(),
            steps: [ow, 1],
            result: outputs * oh * ow,
        };
        Convolution::of(kernel, form, true, |o, [c, ky, kx]| Some(((o * channels + c) * kh + ky) * kw + kx))
    }

    /// The gradient by x.
    pub(crate) fn grad_input(kernel: &ConvKernel) -> Option<Convolution> {
        let spec = &kernel.spec;
        let [oh, ow] = is_small_stride(spec).then(|| spec.output_size())?;
        let ConvSpec { channels, outputs, size: [height, width], kernel: sizes, padding, .. } = *spec;
        let stride = spec.stride[0];
        if spec.size.iter().any(|n| !n.is_multiple_of(stride)) {
            return None;
        }
        // Pixel s·i + p is the sum over all k ≡ p + padding (mod s) of g[i + (p + padding − k)/s]·w[k].
        let shifts = [0, 1].map(|d| {
            let all =
                (0..stride).flat_map(|p| (0..sizes[d]).map(move |k| (p + padding[d]) as isize - k as isize));
            let exact = all.filter(|shift| shift.rem_euclid(stride as isize) == 0);
            let (least, most) =
                exact.fold((0, 0), |(least, most), shift| (shift.min(least), shift.max(most)));
            [least / stride as isize, most / stride as isize]
        });
        let before = shifts.map(|[least, _]| least.unsigned_abs());
        let reach = shifts.map(|[least, most]| (most - least + 1) as usize);
        let positions = [height / stride, width / stride];
        let size = [0, 1].map(|d| positions[d] + reach[d] - 1);
        if oh + before[0] > size[0] || ow + before[1] > size[1] {
            return None;
        }
        let taps =
            Taps { channels: outputs, plane: size[0] * size[1], width: size[1], kernel: reach, stride: 1 };
        // An output is a channel of x and a place in its s×s cell.
        let cell = |output: usize| [output / (stride * stride), output / stride % stride, output % stride];
        let places = (0..channels * stride * stride).map(|output| {
            let [c, y, x] = cell(output);
            (c * height + y) * width + x
        });
        let form = Form {
            image: [outputs, oh, ow],
            before,
            taps,
            positions,
            places: places.collect(),
            steps: [stride * width, stride],
            result: channels * height * width,
        };
        Convolution::of(kernel, form, false, |output, [o, ty, tx]| {
            let [c, y, x] = cell(output);
            let tap = |d: usize, place: usize, t: usize| {
                let shift = (shifts[d][0] + t as isize) * stride as isize;
                let k = (place + padding[d]) as isize - shift;
                usize::try_from(k).ok().filter(|&k| k < sizes[d])
            };
            Some(((o * channels + c) * sizes[0] + tap(0, y, ty)?) * sizes[1] + tap(1, x, tx)?)
        })
    }

    /// `None` where this way does not pay. Never by the number of trials: a trial's result must not depend on the others.
    /// `in_order`: an output's weights are stored side by side, in the order of its taps. `stored`: where the weight of an output and
    /// a tap `[channel, ky, kx]` is stored, if it has one.
    fn of(
        kernel: &ConvKernel,
        form: Form,
        in_order: bool,
        stored: impl Fn(usize, [usize; 3]) -> Option<usize>,
    ) -> Option<Convolution> {
        let (outputs, patch, [kh, kw]) = (form.places.len(), form.patch(), form.taps.kernel);
        let needed = outputs.div_ceil(LANES);
        let pays = form.positions[1] >= NARROW
            && patch > 0
            && patch <= PATCH
            && outputs * 2 >= needed * LANES
            && form.multiplications() <= MULTIPLICATIONS;
        if !pays {
            return None;
        }
        let lanes = LANES * if needed == VECTORS { VECTORS } else { needed.min(2) };
        let tile = if form.positions[1] >= TILE { TILE } else { NARROW };
        let place = |tap: usize| [tap / (kh * kw), tap / kw % kh, tap % kw];
        let weights = Weights::new(kernel, [outputs, patch, lanes], in_order, |output, tap| {
            stored(output, place(tap))
        })?;
        let Taps { plane, width, .. } = form.taps;
        let offset = |[c, ky, kx]: [usize; 3]| c * plane + ky * width + kx;
        let offsets = (0..patch).map(|tap| offset(place(tap))).collect();
        Some(Convolution { kernel: *kernel, form, lanes, tile, weights, offsets })
    }

    fn padded_len(&self) -> usize {
        self.form.taps.channels * self.form.taps.plane
    }

    /// Elements of shared memory: all weights in order.
    pub(crate) fn shared_len(&self) -> usize {
        self.weights.len()
    }

    /// Elements of scratch for each thread: a padded image.
    pub(crate) fn scratch_len(&self) -> usize {
        self.padded_len()
    }

    /// Writes the outputs, or adds them.
    pub(crate) fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        let ConvKernel { spec, trials, shared } = self.kernel;
        let (isa, mut memory) = (workers.isa(), workers.take_shared());
        let weights = &mut memory[..self.shared_len()];
        self.weights.arrange(w, weights, workers);
        let weights = &*weights;
        let work = gemm::work(trials * spec.batch * self.form.multiplications());
        let image_len = self.form.image.iter().product::<usize>();
        workers.for_each(out, self.form.result, work, |workspace, index, out| {
            let image = &mut workspace.scratch[..self.padded_len()];
            let stored = if shared[0] { index % spec.batch } else { index };
            self.pad(isa, &x[stored * image_len..][..image_len], image);
            self.convolve(isa, image, self.weights.of(index, weights), out, add);
        });
        workers.give_shared(memory);
    }

    fn pad<R: Real>(&self, isa: Isa, from: &[R], to: &mut [R]) {
        let Form { image: [_, height, width], before, taps, .. } = self.form;
        let to_size = [taps.plane / taps.width, taps.width];
        pad::image(isa, from, [height, width], to, to_size, before);
    }

    /// All outputs of one padded image.
    fn convolve<R: Real>(&self, isa: Isa, image: &[R], weights: &[R], out: &mut [R], add: bool) {
        let Form { positions: [rows, columns], taps, steps, .. } = self.form;
        let lanes = self.lanes;
        let (tile, form) = (self.tile, [self.tile, lanes, taps.stride]);
        let mut memory = [[R::zero(); TILE * VECTORS * LANES]; 2];
        let [sums, turned] = memory.each_mut().map(|memory| &mut memory[..tile * lanes]);
        for (weights, places) in weights.chunks(self.weights.block_len()).zip(self.form.places.chunks(lanes))
        {
            for y in 0..rows {
                for next in (0..columns).step_by(tile) {
                    // The last tile of a row computes some positions again, and leaves them as they are.
                    let x = next.min(columns - tile);
                    let first = (y * taps.width + x) * taps.stride;
                    convolve(isa, &self.offsets, &image[first..], weights, form, sums);
                    let first = y * steps[0] + x * steps[1];
                    if steps[1] == 1 {
                        // Neighbouring positions of an output lie side by side.
                        transpose(isa, sums, lanes, [tile, lanes], turned, tile);
                        for (&place, sums) in places.iter().zip(turned.chunks_exact(tile)) {
                            let (to, sums) = (&mut out[place + first..][..tile], &sums[next - x..]);
                            put(&mut to[next - x..], sums, add);
                        }
                        continue;
                    }
                    for (p, sums) in sums.chunks(lanes).enumerate().skip(next - x) {
                        let out = &mut out[first + p * steps[1]..];
                        if add {
                            places.iter().zip(sums).for_each(|(&place, &sum)| out[place] += sum);
                        } else {
                            places.iter().zip(sums).for_each(|(&place, &sum)| out[place] = sum);
                        }
                    }
                }
            }
        }
    }
}

/// Writes or adds a few numbers.
fn put<R: Real>(to: &mut [R], from: &[R], add: bool) {
    let pairs = to.iter_mut().zip(from);
    if add {
        pairs.for_each(|(to, &from)| *to += from);
    } else {
        pairs.for_each(|(to, &from)| *to = from);
    }
}

impl Form {
    /// Taps of an output.
    fn patch(&self) -> usize {
        self.taps.channels * self.taps.kernel[0] * self.taps.kernel[1]
    }

    /// Multiplications of an image, empty lanes included.
    fn multiplications(&self) -> usize {
        let [rows, columns] = self.positions;
        rows * columns * self.patch() * self.places.len().next_multiple_of(LANES)
    }
}
