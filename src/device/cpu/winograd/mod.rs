//! 3×3 convolutions of stride 1 by Winograd's F(4×4, 3×3): a quarter of the multiplications.
//!
//! Tiles of 6×6 inputs and the weights are transformed, 36 matrix products over the channels take the place of the sum over
//! channels and taps, and their results are transformed back into tiles of 4×4 outputs. The gradient by x is such a
//! convolution of g with the weights turned round; that by w has the products run over the tiles ([`grad_weight`]).
//!
//! A block of tiles is transformed where its products need it, so that it is still in the cache. Every element adds its
//! products in one order, given by the convolution's sizes alone.

mod grad_weight;
mod points;
mod tiles;
mod transforms;

use std::ops::Range;

pub use grad_weight::GradWeight;
pub use tiles::Tiling;
pub use transforms::{Part, Slices, gradient, input, output, weight, weight_gradient};

use self::tiles::{BLOCK, LANES, POINTS};
use super::{
    gemm::{self, Block, Output},
    real::Real,
    workers::Workers,
};
use crate::{plan::kernel::ConvKernel, tape::spec::ConvSpec};

/// Elements of a block's transformed tiles, at most unless sixteen tiles have more: they stay in the second-level cache.
const BLOCK_LEN: usize = 150_000;
/// Output channels whose products are transformed back together.
const CHUNK: usize = 32;
/// Blocks from which on each is one task, and transforms its own tiles.
const BLOCKS: usize = 16;
/// Rows of weights, or channels of a block, of one task.
const ROWS: usize = 4;

/// Whether Winograd's way can compute it.
pub fn fits(spec: &ConvSpec) -> bool {
    spec.kernel == [3; 2]
        && spec.stride == [1; 2]
        && spec.dilation == [1; 2]
        && spec.groups == 1
        && spec.padding.iter().all(|&padding| padding <= 2)
        && spec.output_len() * spec.channels > 0
}

/// A convolution `x (T,B,C,H,W) * w (T,O,C,3,3)`, or its gradient by x.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// Of the operand that is transformed in tiles.
    spec: ConvSpec,
    /// The weights are `(T,C,O,3,3)` and turned round.
    turned: bool,
    /// Operands that all trials share.
    shared: [bool; 2],
    /// Images that share weights.
    images: usize,
    tiling: Tiling,
    /// Tiles of a block.
    block: usize,
}

impl Convolution {
    /// A convolution that [`fits`].
    pub fn new(kernel: &ConvKernel) -> Convolution {
        Convolution::of(kernel.spec, kernel, false)
    }

    /// The gradient by x of a convolution that [`fits`].
    pub fn grad_input(kernel: &ConvKernel) -> Convolution {
        let ConvSpec { channels, outputs, padding, .. } = kernel.spec;
        let size = kernel.spec.output_size();
        let padding = padding.map(|padding| 2 - padding);
        let spec = ConvSpec { channels: outputs, outputs: channels, size, padding, ..kernel.spec };
        Convolution::of(spec, kernel, true)
    }

    fn of(spec: ConvSpec, kernel: &ConvKernel, turned: bool) -> Convolution {
        let fold = kernel.shared == [false, true];
        let images = if fold { kernel.trials * spec.batch } else { spec.batch };
        let tiling = Tiling::new(&spec);
        let most = BLOCK_LEN / (POINTS * spec.channels) / LANES * LANES;
        let block = (images * tiling.image_tiles()).next_multiple_of(LANES).min(most.clamp(LANES, BLOCK));
        Convolution { spec, turned, shared: kernel.shared, images, tiling, block }
    }

    fn tiles(&self) -> usize {
        self.images * self.tiling.image_tiles()
    }

    fn blocks(&self) -> usize {
        self.tiles().div_ceil(self.block)
    }

    /// Whether a block's tiles are transformed by one task and multiplied by others.
    fn is_split(&self) -> bool {
        self.blocks() < BLOCKS
    }

    /// `(O,C)`, or turned `(C,O)`.
    fn weights(&self) -> Slices {
        let ConvSpec { channels, outputs, .. } = self.spec;
        if self.turned { Slices::new(channels, outputs) } else { Slices::new(outputs, channels) }
    }

    /// `(C, tiles)`
    fn inputs(&self, tiles: usize) -> Slices {
        Slices::new(self.spec.channels, tiles)
    }

    /// `(outputs of a chunk, tiles)`
    fn products(&self, tiles: usize) -> Slices {
        Slices::new(CHUNK.min(self.spec.outputs), tiles)
    }

    /// Elements of shared memory: transformed weights, then the tiles of every block if they are shared.
    pub fn shared_len(&self) -> usize {
        let blocks = if self.is_split() { self.blocks() } else { 0 };
        self.weights().len() + blocks * self.inputs(self.block).len() + LANES
    }

    /// Elements of a thread's scratch: transformed tiles if they are not shared, then products.
    pub fn scratch_len(&self) -> usize {
        let inputs = if self.is_split() { 0 } else { self.inputs(self.block).len() };
        inputs + self.products(self.block).len() + LANES
    }

    pub fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let mut shared = workers.take_shared();
        let (weights, inputs) = aligned(&mut shared).split_at_mut(self.weights().len());
        let operand = |operand: usize, trial: usize, len: usize| {
            if self.shared[operand] { 0 } else { trial * len }
        };
        for (trial, out) in
            out.chunks_mut(self.images * self.spec.outputs * self.tiling.output_plane()).enumerate()
        {
            if trial == 0 || !self.shared[1] {
                self.transform_weights(&w[operand(1, trial, self.spec.weight_len())..], weights, workers);
            }
            let x = &x[operand(0, trial, self.spec.input_len())..];
            if self.is_split() {
                self.run_split(x, weights, inputs, out, workers);
            } else {
                self.run_blocks(x, weights, out, workers);
            }
        }
        workers.give_shared(shared);
    }

    fn transform_weights<R: Real>(&self, w: &[R], weights: &mut [R], workers: &mut Workers<R>) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let (rows, row) = if self.turned { (channels, outputs) } else { (outputs, channels) };
        let weights = Output::new(weights);
        workers.each_task(rows.div_ceil(ROWS), rows * row, |_, task| {
            let rows = task * ROWS..rows.min(task * ROWS + ROWS);
            R::winograd_weight(w, rows, row, self.turned, self.weights(), &weights);
        });
    }

    /// Few blocks: all threads transform tiles, then all of them multiply.
    fn run_split<R: Real>(
        &self,
        x: &[R],
        weights: &[R],
        inputs: &mut [R],
        out: &mut [R],
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let length = self.inputs(self.block).len();
        let tasks = channels.div_ceil(ROWS);
        let shared = Output::new(inputs);
        workers.each_task(self.blocks() * tasks, self.tiles() * channels * 5, |_, task| {
            let (block, first) = (task / tasks, task % tasks * ROWS);
            // SAFETY: blocks are apart, and a task writes the channels that are its own.
            let to = Output::new(unsafe { shared.slice(block * length..(block + 1) * length) });
            self.transform_inputs(x, block, first..channels.min(first + ROWS), &to);
        });
        let inputs = &*inputs;
        let tasks = outputs.div_ceil(CHUNK);
        let out = Output::new(out);
        workers.each_task(self.blocks() * tasks, self.work(), |workspace, task| {
            let (block, chunk) = (task % self.blocks(), task / self.blocks());
            let inputs = &inputs[block * length..][..length];
            self.multiply(weights, inputs, block, chunk, aligned(&mut workspace.scratch), &out);
        });
    }

    /// Many blocks: each is a task.
    fn run_blocks<R: Real>(&self, x: &[R], weights: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let out = Output::new(out);
        workers.each_task(self.blocks(), self.work(), |workspace, block| {
            let (inputs, products) =
                aligned(&mut workspace.scratch).split_at_mut(self.inputs(self.block).len());
            self.transform_inputs(x, block, 0..channels, &Output::new(inputs));
            for chunk in 0..outputs.div_ceil(CHUNK) {
                self.multiply(weights, inputs, block, chunk, products, &out);
            }
        });
    }

    /// Estimated nanoseconds of the products on one thread.
    fn work(&self) -> usize {
        gemm::work(POINTS * self.tiles() * self.spec.channels * self.spec.outputs)
    }

    fn block_tiles(&self, block: usize) -> Range<usize> {
        block * self.block..self.tiles().min((block + 1) * self.block)
    }

    fn transform_inputs<R: Real>(&self, x: &[R], block: usize, channels: Range<usize>, to: &Output<R>) {
        let image = self.spec.channels * self.tiling.input_plane();
        let tiles = self.block_tiles(block);
        let layout = self.inputs(tiles.len());
        R::winograd_input(&self.tiling, x, image, &Part { tiles, at: 0, layout }, channels, to);
    }

    /// The products of a chunk of output channels and a block of tiles, transformed back into `out`.
    fn multiply<R: Real>(
        &self,
        weights: &[R],
        inputs: &[R],
        block: usize,
        chunk: usize,
        products: &mut [R],
        out: &Output<R>,
    ) {
        let outputs = chunk * CHUNK..self.spec.outputs.min((chunk + 1) * CHUNK);
        let tiles = self.block_tiles(block);
        let [w, x, y] = [self.weights(), self.inputs(tiles.len()), self.products(tiles.len())];
        let sizes = [outputs.len(), self.spec.channels, x.row];
        for point in 0..POINTS {
            let weights = &weights[point * w.slice()..];
            let left = match self.turned {
                false => Block { data: &weights[outputs.start * w.row..], row: w.row, col: 1 },
                true => Block { data: &weights[outputs.start..], row: 1, col: w.row },
            };
            let right = Block { data: &inputs[point * x.slice()..], row: x.row, col: 1 };
            R::multiply(sizes, left, right, &mut products[point * y.slice()..]);
        }
        let image = self.spec.outputs * self.tiling.output_plane();
        let part = Part { tiles, at: 0, layout: y };
        R::winograd_output(&self.tiling, products, &part, outputs, image, out);
    }
}

/// The slice from its first whole cache line on: at most [`LANES`] elements shorter.
fn aligned<R>(slice: &mut [R]) -> &mut [R] {
    let skip = slice.as_ptr().align_offset(64).min(LANES);
    &mut slice[skip..]
}
