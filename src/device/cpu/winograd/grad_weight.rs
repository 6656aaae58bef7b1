//! The gradient by w as F(3×3, 4×4): the same tiles of x, multiplied by tiles of 4×4 elements of g, summed over all tiles.

use std::ops::Range;

use super::{
    Part, Slices, Tiling, aligned, fits,
    tiles::{BLOCK, LANES, POINTS},
};
use crate::{
    device::cpu::{
        gemm::{self, Block, Output},
        real::Real,
        workers::Workers,
    },
    plan::kernel::ConvKernel,
    tape::spec::ConvSpec,
};

/// Tiles from which on threads sum parts of them.
const PARTED: usize = 256;
/// Tiles of a part at least, most parts, and elements of the gradient that all parts have together, unless there are but
/// [`FEWEST`] of them.
const PART: usize = 128;
const PARTS: usize = 16;
const PARTS_LEN: usize = 1 << 20;
const FEWEST: usize = 4;
/// Elements of a block's transformed tiles: more than elsewhere, since each block's products are read and written again.
const BLOCK_LEN: usize = 400_000;
/// Pairs of channels up to which a part's products are better read again for every block than the transformed tiles are
/// for every pair.
const PAIRS: usize = 200 * 200;
/// Elements of the transformed tiles of a round.
const ROUND_LEN: usize = 1 << 22;
/// Elements of the products that are kept from round to round.
const KEPT_LEN: usize = 1 << 22;
/// Channels of x and of g whose products are one task.
const CHUNKS: [usize; 2] = [32, 32];
/// Channels of x that a task transforms.
const ROWS: usize = 4;

/// `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C,3,3)`
#[derive(Clone, Copy, Debug)]
pub struct GradWeight {
    spec: ConvSpec,
    trials: usize,
    /// Operands that all trials share.
    shared: [bool; 2],
    tiling: Tiling,
    way: Way,
}

/// How the sum over tiles is cut.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Few pairs of channels, many tiles: `count` sums of `part` tiles each, in blocks.
    Parts { count: usize, part: usize, block: usize },
    /// `round` tiles at a time, `kept` channels of x at a time.
    Rounds { round: usize, kept: usize },
}

impl GradWeight {
    /// `None` for sizes that it is not made for.
    pub fn new(kernel: &ConvKernel) -> Option<GradWeight> {
        let ConvKernel { spec, trials, shared } = *kernel;
        if !fits(&spec) {
            return None;
        }
        let tiling = Tiling::new(&spec);
        let tiles = spec.batch * tiling.image_tiles();
        let channels = spec.channels + spec.outputs;
        let fitting = |len: usize| len / (POINTS * channels) / LANES * LANES;
        let way = if spec.channels * spec.outputs <= PAIRS && tiles >= PARTED {
            let block = fitting(BLOCK_LEN).clamp(LANES, BLOCK);
            let most = (PARTS_LEN / spec.weight_len()).clamp(FEWEST, PARTS);
            let part = tiles.div_ceil((tiles / PART).clamp(1, most)).next_multiple_of(block);
            Way::Parts { count: tiles.div_ceil(part), part, block }
        } else {
            let round = fitting(ROUND_LEN).max(LANES).min(tiles.next_multiple_of(LANES));
            let chunk = CHUNKS[0];
            let kept = match round < tiles {
                true => (KEPT_LEN / (POINTS * spec.outputs) / chunk * chunk).max(chunk),
                false => spec.channels,
            };
            Way::Rounds { round, kept: kept.min(spec.channels) }
        };
        Some(GradWeight { spec, trials, shared, tiling, way })
    }

    fn tiles(&self) -> usize {
        self.spec.batch * self.tiling.image_tiles()
    }

    /// Layouts of `(channels of x, tiles)`, `(tiles, O)` and the products `(channels of x, O)`.
    fn layouts(&self, channels: usize, tiles: usize) -> [Slices; 3] {
        let outputs = self.spec.outputs;
        [Slices::new(channels, tiles), Slices::new(tiles, outputs), Slices::new(channels, outputs)]
    }

    /// The products of one task, where they need not be kept.
    fn chunk(&self) -> Slices {
        Slices::new(CHUNKS[0].min(self.spec.channels), CHUNKS[1].min(self.spec.outputs))
    }

    /// Elements of shared memory: partial sums; or transformed tiles of x and g, then products to keep.
    pub fn shared_len(&self) -> usize {
        match self.way {
            Way::Parts { count: 1, .. } => 0,
            Way::Parts { count, .. } => self.trials * count * self.spec.weight_len(),
            Way::Rounds { round, kept } => {
                let [x, g, _] = self.layouts(kept, round);
                let tasks = kept.div_ceil(CHUNKS[0]) * self.spec.outputs.div_ceil(CHUNKS[1]);
                let products = if round < self.tiles() { tasks * self.chunk().len() } else { 0 };
                x.len() + g.len() + products + LANES
            }
        }
    }

    /// Elements of a thread's scratch: transformed tiles of x and g, and products.
    pub fn scratch_len(&self) -> usize {
        LANES
            + match self.way {
                Way::Parts { block, .. } => {
                    self.layouts(self.spec.channels, block).iter().map(Slices::len).sum()
                }
                Way::Rounds { .. } => self.chunk().len(),
            }
    }

    pub fn run<R: Real>(&self, x: &[R], g: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let trial = |operand: usize, trial: usize, len: usize| {
            if self.shared[operand] { 0 } else { trial * len }
        };
        let operands = |index: usize| {
            let x = &x[trial(0, index, self.spec.input_len())..];
            (x, &g[trial(1, index, self.spec.output_len())..])
        };
        let mut shared = workers.take_shared();
        match self.way {
            Way::Parts { count, part, block } => {
                let length = self.spec.weight_len();
                let sums = if count == 1 { &mut *out } else { &mut shared[..self.shared_len()] };
                workers.for_each(sums, length, self.work() * self.trials, |workspace, task, out| {
                    let (x, g) = operands(task / count);
                    let first = task % count * part;
                    let tiles = first..self.tiles().min(first + part);
                    self.sum_part(x, g, tiles, block, aligned(&mut workspace.scratch), out);
                });
                if count > 1 {
                    let parts = shared[..self.shared_len()].chunks(length * count);
                    for (out, parts) in out.chunks_mut(length).zip(parts) {
                        out.fill(R::zero());
                        parts.chunks(length).for_each(|part| R::add_multiple(R::one(), part, out));
                    }
                }
            }
            Way::Rounds { round, kept } => {
                for (index, out) in out.chunks_mut(self.spec.weight_len()).enumerate() {
                    let (x, g) = operands(index);
                    for first in (0..self.spec.channels).step_by(kept) {
                        let channels = first..self.spec.channels.min(first + kept);
                        self.sum_rounds(x, g, channels, round, aligned(&mut shared), out, workers);
                    }
                }
            }
        }
        workers.give_shared(shared);
    }

    /// Estimated nanoseconds of a trial's products on one thread.
    fn work(&self) -> usize {
        gemm::work(POINTS * self.tiles() * self.spec.channels * self.spec.outputs)
    }

    /// One thread's sum over `tiles`, `(O,C,3,3)`.
    fn sum_part<R: Real>(
        &self,
        x: &[R],
        g: &[R],
        tiles: Range<usize>,
        block: usize,
        scratch: &mut [R],
        out: &mut [R],
    ) {
        let ConvSpec { channels, outputs, .. } = self.spec;
        let layouts = self.layouts(channels, block);
        let (inputs, scratch) = scratch.split_at_mut(layouts[0].len());
        let (gradients, products) = scratch.split_at_mut(layouts[1].len());
        for first in tiles.clone().step_by(block) {
            let block = first..tiles.end.min(first + block);
            let image = channels * self.tiling.input_plane();
            let [part, gradient_part] =
                [0, 1].map(|i| Part { tiles: block.clone(), at: 0, layout: layouts[i], add: false });
            R::winograd_input(&self.tiling, x, image, &part, 0..channels, &Output::new(inputs));
            let to = Output::new(gradients);
            R::winograd_gradient(&self.tiling, g, outputs, &gradient_part, 0..outputs, &to);
            for point in 0..POINTS {
                let [x, g, p] = [0, 1, 2].map(|i| point * layouts[i].slice());
                let left = Block { data: &inputs[x..], row: layouts[0].row, col: 1 };
                let right = Block { data: &gradients[g..], row: layouts[1].row, col: 1 };
                let sizes = [channels, block.len(), layouts[2].row];
                R::winograd_products(sizes, &left, &right, &mut products[p..], first > tiles.start);
            }
        }
        R::winograd_weight_gradient(
            products,
            layouts[2],
            0..channels,
            0..outputs,
            channels,
            &Output::new(out),
        );
    }

    /// All threads' sum over all tiles for `channels` of x.
    #[allow(clippy::too_many_arguments)]
    fn sum_rounds<R: Real>(
        &self,
        x: &[R],
        g: &[R],
        channels: Range<usize>,
        round: usize,
        shared: &mut [R],
        out: &mut [R],
        workers: &mut Workers<R>,
    ) {
        let outputs = self.spec.outputs;
        let layouts = self.layouts(channels.len(), round);
        let (inputs, shared) = shared.split_at_mut(layouts[0].len());
        let (gradients, kept) = shared.split_at_mut(layouts[1].len());
        let keeps = round < self.tiles();
        let kept = Output::new(kept);
        let out = Output::new(out);
        for first in (0..self.tiles()).step_by(round) {
            let tiles = first..self.tiles().min(first + round);
            self.transform(x, g, channels.clone(), tiles.clone(), layouts, inputs, gradients, workers);
            let (inputs, gradients) = (&*inputs, &*gradients);
            let [row_tasks, col_tasks] = [channels.len().div_ceil(CHUNKS[0]), outputs.div_ceil(CHUNKS[1])];
            let work = self.work() * channels.len() / self.spec.channels * tiles.len() / self.tiles();
            workers.each_task(row_tasks * col_tasks, work, |workspace, task| {
                let (c, o) = (task / col_tasks * CHUNKS[0], task % col_tasks * CHUNKS[1]);
                let rows = c..channels.len().min(c + CHUNKS[0]);
                let cols = o..outputs.min(o + CHUNKS[1]);
                let length = self.chunk().len();
                let products = if keeps {
                    // SAFETY: every task has products of its own.
                    unsafe { kept.slice(task * length..(task + 1) * length) }
                } else {
                    &mut aligned(&mut workspace.scratch)[..length]
                };
                let [x, g] = [layouts[0], layouts[1]];
                let layout = Slices::new(rows.len(), cols.len());
                for point in 0..POINTS {
                    let inputs = &inputs[point * x.slice() + rows.start * x.row..];
                    let gradients = &gradients[point * g.slice() + cols.start..];
                    let left = Block { data: inputs, row: x.row, col: 1 };
                    let right = Block { data: gradients, row: g.row, col: 1 };
                    let sizes = [rows.len(), tiles.len(), layout.row];
                    let products = &mut products[point * layout.slice()..];
                    R::winograd_products(sizes, &left, &right, products, first > 0);
                }
                if tiles.end == self.tiles() {
                    let rows = channels.start + rows.start..channels.start + rows.end;
                    R::winograd_weight_gradient(products, layout, rows, cols, self.spec.channels, &out);
                }
            });
        }
    }

    /// Transforms `tiles` of `channels` of x and of all of g, by all threads.
    #[allow(clippy::too_many_arguments)]
    fn transform<R: Real>(
        &self,
        x: &[R],
        g: &[R],
        channels: Range<usize>,
        tiles: Range<usize>,
        layouts: [Slices; 3],
        inputs: &mut [R],
        gradients: &mut [R],
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels: all, outputs, .. } = self.spec;
        let (plane, image) = (self.tiling.input_plane(), all * self.tiling.input_plane());
        let x = &x[channels.start * plane..];
        let blocks = tiles.len().div_ceil(BLOCK);
        let (input_tasks, gradient_tasks) = (channels.len().div_ceil(ROWS), outputs.div_ceil(LANES));
        let (inputs, gradients) = (Output::new(inputs), Output::new(gradients));
        let work = tiles.len() * (channels.len() + outputs) * 5;
        workers.each_task(blocks * (input_tasks + gradient_tasks), work, |_, task| {
            let (task, at) = (task / blocks, task % blocks * BLOCK);
            let tiles = tiles.start + at..tiles.end.min(tiles.start + at + BLOCK);
            if task < input_tasks {
                let part = Part { tiles, at, layout: layouts[0], add: false };
                let rows = task * ROWS..channels.len().min((task + 1) * ROWS);
                R::winograd_input(&self.tiling, x, image, &part, rows, &inputs);
            } else {
                let part = Part { tiles, at, layout: layouts[1], add: false };
                let first = (task - input_tasks) * LANES;
                let cols = first..outputs.min(first + LANES);
                R::winograd_gradient(&self.tiling, g, outputs, &part, cols, &gradients);
            }
        });
    }
}
