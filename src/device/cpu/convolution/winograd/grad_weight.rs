//! The gradient by w as F(3×3, 4×4): the same tiles of x, multiplied by tiles of 4×4 elements of g, summed over all tiles.

use std::ops::Range;

use super::{
    TRANSFORM, aligned, fits,
    gradient::gradient,
    input::input,
    piece,
    tiles::Tiling,
    tiles::{LANES, POINTS},
    transforms::{Part, Slices},
};
use crate::{
    device::cpu::{
        loops::{gemm, lanes::add_multiple},
        memory::{output::Output, workers::Workers},
        vectors::Real,
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
/// Elements of a block's transformed tiles, which stay in a cache until its products are read and written; and most tiles.
const BLOCK_LEN: usize = 400_000;
const BLOCK: usize = 64;
/// Pairs of channels up to which a part's products are better read again for every block than the transformed tiles are
/// for every pair.
const PAIRS: usize = 200 * 200;
/// Tiles from which on they are better transformed once and multiplied point by point.
const MANY: usize = 128;
/// Elements of the transformed tiles of a round.
const ROUND_LEN: usize = 5 << 20;
/// Elements of the products that are kept from round to round.
const KEPT_LEN: usize = 1 << 22;
/// Channels of x and of g whose products are one task.
pub(super) const CHUNK: usize = 32;
/// Channels of a group that one task transforms.
const CHANNELS: usize = 16;

/// `x (T,B,C,H,W), g (T,B,O,OH,OW) → (T,O,C,3,3)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct GradWeight {
    pub(super) spec: ConvSpec,
    trials: usize,
    /// Operands that all trials share.
    shared: [bool; 2],
    pub(super) tiling: Tiling,
    way: Way,
}

/// How the sum over tiles is cut.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Few pairs of channels, many tiles: `count` sums of `part` tiles each, in blocks.
    Parts { count: usize, part: usize, block: usize },
    /// Few tiles: all of them for one chunk of the channels after the other.
    Chunks,
    /// `round` tiles, and `kept` channels of x, at a time, for one point after the other.
    Points { round: usize, kept: usize },
}

impl GradWeight {
    /// `None` for sizes that it is not made for.
    pub(crate) fn new(kernel: &ConvKernel) -> Option<GradWeight> {
        let ConvKernel { spec, trials, shared } = *kernel;
        if !fits(&spec) {
            return None;
        }
        let tiling = Tiling::new(&spec);
        let tiles = spec.batch * tiling.image_tiles();
        let channels = spec.channels + spec.outputs;
        let fitting = |len: usize| (len / (POINTS * channels) / LANES * LANES).max(LANES);
        let way = if spec.channels * spec.outputs <= PAIRS && tiles >= PARTED {
            let block = fitting(BLOCK_LEN).min(BLOCK);
            let most = (PARTS_LEN / spec.weight_len()).clamp(FEWEST, PARTS);
            let part = tiles.div_ceil((tiles / PART).clamp(1, most)).next_multiple_of(block);
            Way::Parts { count: tiles.div_ceil(part), part, block }
        } else if tiles < MANY.min(fitting(ROUND_LEN)) {
            Way::Chunks
        } else {
            let rounds = tiles.div_ceil(fitting(ROUND_LEN));
            let kept = (KEPT_LEN / (POINTS * spec.outputs) / CHUNK * CHUNK).max(CHUNK).min(spec.channels);
            Way::Points { round: tiles.div_ceil(rounds).next_multiple_of(LANES), kept }
        };
        Some(GradWeight { spec, trials, shared, tiling, way })
    }

    pub(super) fn tiles(&self) -> usize {
        self.spec.batch * self.tiling.image_tiles()
    }

    /// Layouts of `(channels of x, tiles)`, of `(tiles, O)` in panels, and of the products `(channels of x, O)`.
    pub(super) fn layouts(&self, channels: usize, tiles: usize) -> [Slices; 3] {
        let outputs = self.spec.outputs;
        [
            Slices::new(channels, tiles),
            Slices::new(outputs.div_ceil(LANES), LANES * tiles),
            products_layout(channels, outputs),
        ]
    }

    /// Elements of shared memory: partial sums; or transformed tiles of x and g, then products.
    pub(crate) fn shared_len(&self) -> usize {
        match self.way {
            Way::Parts { count: 1, .. } => 0,
            Way::Parts { count, .. } => self.trials * count * self.spec.weight_len(),
            Way::Chunks => {
                let [x, g, _] = self.layouts(self.spec.channels, self.tiles());
                x.len() + g.len() + LANES
            }
            Way::Points { round, kept } => {
                self.layouts(kept, round).iter().map(Slices::len).sum::<usize>() + LANES
            }
        }
    }

    /// Elements of a thread's scratch: transformed tiles of x and g, and products.
    pub(crate) fn scratch_len(&self) -> usize {
        match self.way {
            Way::Parts { block, .. } => {
                self.layouts(self.spec.channels, block).iter().map(Slices::len).sum::<usize>() + LANES
            }
            Way::Chunks => products_layout(CHUNK, CHUNK).len() + LANES,
            Way::Points { .. } => 0,
        }
    }

    pub(crate) fn run<R: Real>(&self, x: &[R], g: &[R], out: &mut [R], workers: &mut Workers<R>) {
        let trial = |operand: usize, trial: usize, len: usize| {
            if self.shared[operand] { 0 } else { trial * len }
        };
        let operands = |index: usize| {
            let x = &x[trial(0, index, self.spec.input_len())..];
            (x, &g[trial(1, index, self.spec.output_len())..])
        };
        let (isa, mut shared) = (workers.isa(), workers.take_shared());
        match self.way {
            Way::Parts { count, part, block } => {
                let length = self.spec.weight_len();
                let sums = if count == 1 { &mut *out } else { &mut shared[..self.shared_len()] };
                workers.for_each(sums, length, self.work() * self.trials, |workspace, task, out| {
                    let (x, g) = operands(task / count);
                    let first = task % count * part;
                    let tiles = first..self.tiles().min(first + part);
                    self.sum_part(isa, x, g, tiles, block, aligned(&mut workspace.scratch), out);
                });
                if count > 1 {
                    let parts = shared[..self.shared_len()].chunks(length * count);
                    for (out, parts) in out.chunks_mut(length).zip(parts) {
                        out.fill(R::zero());
                        parts.chunks(length).for_each(|part| add_multiple(isa, R::one(), part, out));
                    }
                }
            }
            Way::Chunks => {
                for (index, out) in out.chunks_mut(self.spec.weight_len()).enumerate() {
                    self.sum_chunks(operands(index), aligned(&mut shared), out, workers);
                }
            }
            Way::Points { round, kept } => {
                for (index, out) in out.chunks_mut(self.spec.weight_len()).enumerate() {
                    for first in (0..self.spec.channels).step_by(kept) {
                        let channels = first..self.spec.channels.min(first + kept);
                        self.sum_rounds(operands(index), channels, round, aligned(&mut shared), out, workers);
                    }
                }
            }
        }
        workers.give_shared(shared);
    }

    /// Estimated nanoseconds of a trial's products on one thread.
    pub(super) fn work(&self) -> usize {
        gemm::work(POINTS * self.tiles() * self.spec.channels * self.spec.outputs)
    }

    /// Transforms `tiles` of `channels` of x and of all of g, by all threads.
    pub(super) fn transform<R: Real>(
        &self,
        (x, g): (&[R], &[R]),
        channels: Range<usize>,
        tiles: Range<usize>,
        layouts: [Slices; 3],
        to: [&mut [R]; 2],
        workers: &mut Workers<R>,
    ) {
        let ConvSpec { channels: all, outputs, .. } = self.spec;
        let (plane, image) = (self.tiling.input_plane(), all * self.tiling.input_plane());
        let x = &x[channels.start * plane..];
        let groups = tiles.len().div_ceil(LANES);
        let counts = [channels.len(), outputs].map(|count| count.div_ceil(CHANNELS));
        let (isa, [inputs, gradients]) = (workers.isa(), to.map(Output::new));
        let work = tiles.len() * (channels.len() + outputs) * TRANSFORM;
        workers.each_task(groups * (counts[0] + counts[1]), work, |_, task| {
            let (task, first) = (task / groups, tiles.start + task % groups * LANES);
            if task < counts[0] {
                let rows = piece(task, CHANNELS, channels.len());
                let part = part(first, &tiles, layouts[0]);
                input(isa, &self.tiling, x, image, &part, rows, &inputs);
            } else {
                let cols = piece(task - counts[0], CHANNELS, outputs);
                let part = part(first, &tiles, layouts[1]);
                gradient(isa, &self.tiling, g, outputs, &part, cols, &gradients);
            }
        });
    }
}

/// The group of tiles from `first` on, of a layout that has all `tiles`.
pub(super) fn part(first: usize, tiles: &Range<usize>, layout: Slices) -> Part {
    let group = first..tiles.end.min(first + LANES);
    Part { tiles: group, at: first - tiles.start, layout, add: false }
}

/// Products `(channels of x, channels of g)`.
pub(super) fn products_layout(channels: usize, outputs: usize) -> Slices {
    Slices::new(channels, outputs)
}
