//! The convolution and its gradient by x as F(4×4, 3×3).

use std::ops::Range;

use super::{
    BLOCK_LEN, Part, Slices, Tiling, aligned, fits,
    tiles::{BLOCK, LANES, POINTS},
};
use crate::{
    device::cpu::{
        convolution::turned,
        gemm::{self, Block, Output},
        real::Real,
        workers::Workers,
    },
    plan::kernel::ConvKernel,
    tape::spec::ConvSpec,
};

/// Blocks from which on each is one task, and transforms its own tiles.
const BLOCKS: usize = 16;
/// Output channels whose products are transformed back together: of a block's task, and where they are a task themselves.
const CHUNK: usize = 32;
const SPLIT_CHUNK: usize = 16;
/// Rows of weights of a task.
const WEIGHT_ROWS: usize = 4;
/// Channels of a block that one task transforms.
const CHANNELS: usize = 16;

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
    /// `None` for sizes that it is not made for.
    pub fn new(kernel: &ConvKernel) -> Option<Convolution> {
        Convolution::of(kernel.spec, kernel, false)
    }

    /// The gradient by x.
    pub fn grad_input(kernel: &ConvKernel) -> Option<Convolution> {
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
        let most = BLOCK_LEN / (POINTS * spec.channels) / LANES * LANES;
        let block = (images * tiling.image_tiles()).next_multiple_of(LANES).min(most.clamp(LANES, BLOCK));
        Some(Convolution { spec, turned, shared: kernel.shared, images, tiling, block })
    }

    fn tiles(&self) -> usize {
        self.images * self.tiling.image_tiles()
    }

    fn blocks(&self) -> usize {
        self.tiles().div_ceil(self.block)
    }

    /// Whether there are so few blocks that all tiles are transformed first, and each chunk of the outputs is a task that transforms
    /// its own weights. Else all weights are transformed first, and each block is a task that transforms its own tiles.
    fn is_split(&self) -> bool {
        self.blocks() < BLOCKS
    }

    /// Output channels that are multiplied together.
    fn chunk(&self) -> usize {
        if self.is_split() { SPLIT_CHUNK } else { CHUNK }.min(self.spec.outputs)
    }

    /// `(outputs,C)`, or turned `(C,outputs)`.
    fn weights(&self, outputs: usize) -> Slices {
        let channels = self.spec.channels;
        if self.turned { Slices::new(channels, outputs) } else { Slices::new(outputs, channels) }
    }

    /// `(C, tiles)`
    fn inputs(&self, tiles: usize) -> Slices {
        Slices::new(self.spec.channels, tiles)
    }

    /// `(outputs of a chunk, tiles)`
    fn products(&self, tiles: usize) -> Slices {
        Slices::new(self.chunk(), tiles)
    }

    /// Elements of shared memory: the tiles of every block, or all weights.
    pub fn shared_len(&self) -> usize {
        LANES
            + match self.is_split() {
                true => self.blocks() * self.inputs(self.block).len(),
                false => self.weights(self.spec.outputs).len(),
            }
    }

    /// Elements of a thread's scratch: a chunk's weights, or a block's tiles; then products.
    pub fn scratch_len(&self) -> usize {
        let operand = match self.is_split() {
            true => self.weights(self.chunk()),
            false => self.inputs(self.block),
        };
        operand.len() + self.products(self.block).len() + LANES
    }

    /// Writes the outputs, or adds them.
    pub fn run<R: Real>(&self, x: &[R], w: &[R], out: &mut [R], add: bool, workers: &mut Workers<R>) {
        let mut shared = workers.take_shared();
        let operand =
            |operand: usize, trial: usize, len: usize| if self.shared[operand] { 0 } else { trial * len };
        let length = self.images * self.spec.outputs * self.tiling.output_plane();
        for (trial, out) in out.chunks_mut(length).enumerate() {
            let x = &x[operand(0, trial, self.spec.input_len())..];
            let w = &w[operand(1, trial, self.spec.weight_len())..];
            let run = if self.is_split() { Self::run_chunks } else { Self::run_blocks };
            run(self, x, w, aligned(&mut shared), (out, add), workers);
        }
        workers.give_shared(shared);
    }

    /// Few blocks: all tiles are transformed, then each chunk of the outputs is a task.
    fn run_chunks<R: Real>(
        &self,
        x: &[R],
        w: &[R],
        inputs: &mut [R],
        (out, add): (&mut [R], bool),
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let length = self.inputs(self.block).len();
        let tasks = channels.div_ceil(CHANNELS);
        let shared = Output::new(inputs);
        workers.each_task(self.blocks() * tasks, self.tiles() * channels * 5, |_, task| {
            let (block, first) = (task / tasks, task % tasks * CHANNELS);
            // SAFETY: blocks are apart, and a task writes the channels that are its own.
            let to = Output::new(unsafe { shared.slice(block * length..(block + 1) * length) });
            self.transform_inputs(x, block, first..channels.min(first + CHANNELS), &to);
        });
        let inputs = &*inputs;
        let out = (&Output::new(out), add);
        workers.each_task(outputs.div_ceil(self.chunk()), self.work(), |workspace, task| {
            let chunk = task * self.chunk()..outputs.min((task + 1) * self.chunk());
            let layout = self.weights(chunk.len());
            let (weights, products) = aligned(&mut workspace.scratch).split_at_mut(layout.len());
            let to = Output::new(weights);
            if self.turned {
                let origin = [0, chunk.start];
                R::winograd_weight(w, outputs, 0..channels, chunk.clone(), origin, true, layout, &to);
            } else {
                let origin = [chunk.start, 0];
                R::winograd_weight(w, channels, chunk.clone(), 0..channels, origin, false, layout, &to);
            }
            for block in 0..self.blocks() {
                let inputs = &inputs[block * length..][..length];
                self.multiply(weights, layout, inputs, block, chunk.clone(), products, out);
            }
        });
    }

    /// Many blocks: all weights are transformed, then each block is a task.
    fn run_blocks<R: Real>(
        &self,
        x: &[R],
        w: &[R],
        weights: &mut [R],
        (out, add): (&mut [R], bool),
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let (rows, row) = if self.turned { (channels, outputs) } else { (outputs, channels) };
        let layout = self.weights(outputs);
        let to = Output::new(weights);
        workers.each_task(rows.div_ceil(WEIGHT_ROWS), rows * row * 5, |_, task| {
            let rows = task * WEIGHT_ROWS..rows.min((task + 1) * WEIGHT_ROWS);
            R::winograd_weight(w, row, rows, 0..row, [0; 2], self.turned, layout, &to);
        });
        let weights = &*weights;
        let out = (&Output::new(out), add);
        workers.each_task(self.blocks(), self.work(), |workspace, block| {
            let (inputs, products) =
                aligned(&mut workspace.scratch).split_at_mut(self.inputs(self.block).len());
            self.transform_inputs(x, block, 0..channels, &Output::new(inputs));
            for first in (0..outputs).step_by(self.chunk()) {
                let chunk = first..outputs.min(first + self.chunk());
                let weights = match self.turned {
                    false => &weights[first * layout.row..],
                    true => &weights[first..],
                };
                self.multiply(weights, layout, inputs, block, chunk, products, out);
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
        R::winograd_input(&self.tiling, x, image, &Part { tiles, at: 0, layout, add: false }, channels, to);
    }

    /// The products of a chunk of output channels, whose transformed weights come first in `weights`, and a block of tiles,
    /// transformed back into `out`.
    #[allow(clippy::too_many_arguments)]
    fn multiply<R: Real>(
        &self,
        weights: &[R],
        w: Slices,
        inputs: &[R],
        block: usize,
        chunk: Range<usize>,
        products: &mut [R],
        (out, add): (&Output<R>, bool),
    ) {
        let tiles = self.block_tiles(block);
        let [x, y] = [self.inputs(tiles.len()), self.products(tiles.len())];
        let [row, col] = if self.turned { [1, w.row] } else { [w.row, 1] };
        for point in 0..POINTS {
            let left = Block { data: &weights[point * w.slice()..], row, col };
            let right = Block { data: &inputs[point * x.slice()..], row: x.row, col: 1 };
            let sizes = [chunk.len(), self.spec.channels, x.row];
            R::winograd_products(sizes, &left, &right, &mut products[point * y.slice()..], false);
        }
        let image = self.spec.outputs * self.tiling.output_plane();
        let part = Part { tiles, at: 0, layout: y, add };
        R::winograd_output(&self.tiling, products, &part, chunk, image, out);
    }
}
