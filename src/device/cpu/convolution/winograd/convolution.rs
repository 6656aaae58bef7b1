//! The convolution and its gradient by x as F(4×4, 3×3): transforms, and which of them is done when.
//!
//! Tiles come in groups of [`LANES`]. A group's transforms are 36 matrices `(C, 16)`, its products 36 matrices `(O, 16)`; the weights'
//! transforms are 36 matrices `(O, C)`.

use std::ops::Range;

use super::{
    TRANSFORM, aligned, fits,
    input::input,
    output::output,
    piece,
    tiles::Tiling,
    tiles::{LANES, POINTS},
    transforms::{Part, Slices},
    weight::weight,
};
use crate::{
    device::cpu::{
        convolution::plain::turned,
        loops::gemm,
        memory::{output::Output, workers::Workers},
        vectors::{Isa, Real},
    },
    plan::kernel::ConvKernel,
    tape::spec::ConvSpec,
};

/// Groups from which on each block of them is a task.
const GROUPS: usize = 16;
/// Elements of a block's transformed tiles, at most unless one group has more: they stay in the second-level cache.
const BLOCK_LEN: usize = 150_000;
/// Most groups of a block.
const BLOCK: usize = 4;
/// Elements of transformed weights from which on they do not stay in the second-level cache, and groups from which on it matters.
const LARGE_LEN: usize = 1 << 19;
const LARGE_GROUPS: usize = 8;
/// Elements of transformed tiles and products of a round.
const ROUND_LEN: usize = 5 << 20;
/// Output channels whose products are transformed back together: of a block's task, and where they are a task themselves.
const CHUNK: usize = 32;
const OWN_CHUNK: usize = 16;
/// Outputs whose weights one task transforms.
const ROWS: usize = 4;
/// Channels of a group that one task transforms.
const CHANNELS: usize = 16;

/// A convolution `x (T,B,C,H,W) * w (T,O,C,3,3)`, or its gradient by x.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    /// Of the operand that is transformed in tiles.
    pub(super) spec: ConvSpec,
    /// The weights are `(T,C,O,3,3)` and turned round.
    turned: bool,
    /// Operands that all trials share.
    shared: [bool; 2],
    /// Images that share weights.
    images: usize,
    tiling: Tiling,
    pub(super) way: Way,
}

/// What is a task, and what is transformed before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Few groups: all tiles are transformed first, and each chunk of the outputs is a task that transforms its own weights.
    Chunks,
    /// Few weights: they are transformed first, and each block of groups is a task that transforms its own tiles.
    Blocks { groups: usize },
    /// Many of both: they are transformed first, as many groups as a round takes, and each point of a tile is a task or several.
    Points { groups: usize },
}

impl Convolution {
    /// `None` for sizes that it is not made for.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<Convolution> {
        Convolution::of(kernel.spec, kernel, false)
    }

    /// The gradient by x.
    pub(crate) fn grad_input(kernel: &ConvKernel) -> Option<Convolution> {
        Convolution::of(turned(&kernel.spec)?, kernel, true)
    }

    fn of(spec: ConvSpec, kernel: &ConvKernel, turned: bool) -> Option<Convolution> {
        // A corner amid two rows of zeros keeps one tap of nine, but all of the tile's rounding error.
        if !fits(&spec) || spec.padding.iter().any(|&padding| padding > 1) {
            return None;
        }
        let fold = kernel.shared == [false, true];
        let images = if fold { kernel.trials * spec.batch } else { spec.batch };
        let tiling = Tiling::new(&spec);
        let mut convolution =
            Convolution { spec, turned, shared: kernel.shared, images, tiling, way: Way::Chunks };
        let groups = convolution.groups();
        let [weights, inputs] = [convolution.weights(spec.outputs), convolution.inputs()].map(|s| s.len());
        if groups >= LARGE_GROUPS && weights >= LARGE_LEN {
            let most = ROUND_LEN / (inputs + convolution.products(spec.outputs).len());
            let rounds = groups.div_ceil(most.max(1));
            convolution.way = Way::Points { groups: groups.div_ceil(rounds) };
        } else if groups >= GROUPS {
            convolution.way = Way::Blocks { groups: (BLOCK_LEN / inputs).clamp(1, BLOCK) };
        }
        Some(convolution)
    }

    fn tiles(&self) -> usize {
        self.images * self.tiling.image_tiles()
    }

    pub(super) fn groups(&self) -> usize {
        self.tiles().div_ceil(LANES)
    }

    /// The transformed weights of so many outputs.
    pub(super) fn weights(&self, outputs: usize) -> Slices {
        Slices::new(outputs, self.spec.channels)
    }

    /// A group's transformed tiles.
    pub(super) fn inputs(&self) -> Slices {
        Slices::new(self.spec.channels, LANES)
    }

    /// A group's products for so many outputs.
    pub(super) fn products(&self, outputs: usize) -> Slices {
        Slices::new(outputs, LANES)
    }

    /// Output channels that are multiplied together.
    pub(super) fn chunk(&self) -> usize {
        if let Way::Chunks = self.way { OWN_CHUNK } else { CHUNK }.min(self.spec.outputs)
    }

    /// Elements of shared memory.
    pub(crate) fn shared_len(&self) -> usize {
        let weights = self.weights(self.spec.outputs).len();
        LANES
            + match self.way {
                Way::Chunks => self.groups() * self.inputs().len(),
                Way::Blocks { .. } => weights,
                Way::Points { groups } => {
                    weights + groups * (self.inputs().len() + self.products(self.spec.outputs).len())
                }
            }
    }

    /// Elements of a thread's scratch: a chunk's weights, or a block's tiles; then their products.
    pub(crate) fn scratch_len(&self) -> usize {
        let products = self.products(self.chunk()).len();
        match self.way {
            Way::Chunks => self.weights(self.chunk()).len() + self.groups() * products + LANES,
            Way::Blocks { groups } => groups * (self.inputs().len() + products) + LANES,
            Way::Points { .. } => 0,
        }
    }

    /// Writes the outputs, or adds them.
    pub(crate) fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        let mut shared = workers.take_shared();
        let operand =
            |operand: usize, trial: usize, len: usize| if self.shared[operand] { 0 } else { trial * len };
        let length = self.images * self.spec.outputs * self.tiling.output_plane();
        for (trial, out) in out.chunks_mut(length).enumerate() {
            let x = &x[operand(0, trial, self.spec.input_len())..];
            let w = &w[operand(1, trial, self.spec.weight_len())..];
            let (out, shared) = (&Output::new(out), aligned(&mut shared));
            match self.way {
                Way::Chunks => self.run_chunks(x, w, shared, (out, add), workers),
                Way::Blocks { groups } => self.run_blocks(x, w, shared, (out, add), groups, workers),
                Way::Points { groups } => self.run_points(x, w, shared, (out, add), groups, workers),
            }
        }
        workers.give_shared(shared);
    }

    /// Estimated nanoseconds of the products on one thread.
    pub(super) fn work(&self) -> usize {
        gemm::work(POINTS * self.tiles() * self.spec.channels * self.spec.outputs)
    }

    /// Transforms all weights, by all threads.
    pub(super) fn transform_all_weights<R: Real>(
        &self,
        w: &[R],
        weights: &mut [R],
        workers: &mut Workers<R>,
    ) -> Slices {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let layout = self.weights(outputs);
        let (isa, weights) = (workers.isa(), Output::new(weights));
        workers.each_task(outputs.div_ceil(ROWS), channels * outputs * TRANSFORM, |_, task| {
            self.transform_weights(isa, w, piece(task, ROWS, outputs), 0, layout, &weights);
        });
        layout
    }

    /// Transforms the weights of `rows` of the outputs, of which `origin` is at 0.
    pub(super) fn transform_weights<R: Real>(
        &self,
        isa: Isa,
        w: &[R],
        rows: Range<usize>,
        origin: usize,
        layout: Slices,
        to: &Output<R>,
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        weight(isa, w, [outputs, channels], rows, origin, self.turned, layout, to);
    }

    /// Transforms whole groups one after the other, by all threads.
    pub(super) fn transform_groups<R: Real>(
        &self,
        x: &[R],
        groups: Range<usize>,
        inputs: &mut [R],
        workers: &mut Workers<R>,
    ) {
        let channels = self.spec.channels;
        let length = self.inputs().len();
        let tasks = channels.div_ceil(CHANNELS);
        let (isa, inputs) = (workers.isa(), Output::new(inputs));
        workers.each_task(groups.len() * tasks, groups.len() * LANES * channels * TRANSFORM, |_, task| {
            let (group, channels) = (task / tasks, piece(task % tasks, CHANNELS, channels));
            // SAFETY: groups are apart, and a task writes the channels that are its own.
            let to = Output::new(unsafe { inputs.slice(group * length..(group + 1) * length) });
            self.transform_inputs(isa, x, groups.start + group, channels, &to);
        });
    }

    pub(super) fn part(&self, group: usize, layout: Slices, add: bool) -> Part {
        let tiles = group * LANES..self.tiles().min((group + 1) * LANES);
        Part { tiles, at: 0, layout, add }
    }

    pub(super) fn transform_inputs<R: Real>(
        &self,
        isa: Isa,
        x: &[R],
        group: usize,
        channels: Range<usize>,
        to: &Output<R>,
    ) {
        let image = self.spec.channels * self.tiling.input_plane();
        input(isa, &self.tiling, x, image, &self.part(group, self.inputs(), false), channels, to);
    }

    /// Transforms a group's products, those of `channels` first, back into `out`.
    pub(super) fn transform_back<R: Real>(
        &self,
        isa: Isa,
        products: &[R],
        part: &Part,
        channels: Range<usize>,
        out: &Output<R>,
    ) {
        let image = self.spec.outputs * self.tiling.output_plane();
        output(isa, &self.tiling, products, part, channels, image, out);
    }
}
