//! A fused pointwise expression at every point of an index space.

use super::{Needs, Prepared, validate};
use crate::{
    device::cpu::{
        loops::{
            evaluate::Inputs,
            program::Compiled,
            space::{MAX_RANK, Space},
        },
        memory::{
            output::Output,
            workers::{BLOCK, Workers, Workspace},
        },
        vectors::{Isa, Real},
    },
    plan::kernel::MapKernel,
};

/// Blocks that one task computes at least: enough to hide the cost of taking it.
const FEWEST_BLOCKS: usize = 2;
/// Blocks that a task of a small map computes at most: few enough to share it evenly.
const BLOCKS: usize = 4;
/// Blocks that a task of a large map computes at most. Of its blocks only the first is not asked for ahead.
const MANY_BLOCKS: usize = 16;
/// Elements from which on a map is large: its operands may have left the caches.
const LARGE: usize = 1 << 15;
/// Leaves that are turned round, at most.
const MAX_TURNED: usize = 4;
/// Rows that are turned round together: a cache line's worth.
const TURNED_ROWS: usize = 16;

pub(crate) struct Map<R> {
    program: Compiled<R>,
    len: usize,
    reads: Vec<usize>,
    turned: Option<Turned>,
}

/// Leaves that lie side by side along `axis` and not along the last one: they are turned round, some rows at a time.
struct Turned {
    axis: usize,
    leaves: Vec<usize>,
}

impl Turned {
    fn of(space: &Space) -> Option<Turned> {
        let axes: Vec<_> = (0..space.leaves.len()).map(|leaf| space.turned(leaf)).collect();
        let axis = axes.iter().flatten().copied().find(|&axis| space.dims[axis] >= TURNED_ROWS)?;
        let leaves = (0..axes.len()).filter(|&leaf| axes[leaf] == Some(axis)).take(MAX_TURNED).collect();
        Some(Turned { axis, leaves })
    }
}

impl<R: Real> Map<R> {
    pub(crate) fn new(kernel: &MapKernel) -> Result<Self, String> {
        let reads = validate::program(&kernel.program, &kernel.dims, true)?;
        let order: Vec<usize> = (0..kernel.dims.len()).collect();
        let space = Space::new(&kernel.dims, &kernel.program.leaves, &order)?;
        let turned = Turned::of(&space);
        let leaves = turned.as_ref().map_or(Vec::new(), |turned| turned.leaves.clone());
        let block = turned.is_none().then(|| space.cached_block::<R>(BLOCK));
        Ok(Map {
            program: Compiled::new(&kernel.program, space, block, leaves),
            len: kernel.dims.iter().product(),
            reads,
            turned,
        })
    }

    /// Tiles of some rows along the leaves' own axis, and a block along the last one.
    fn run_turned(&self, turned: &Turned, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let dims = &self.program.space().dims;
        let (last, isa) = (dims.len() - 1, workers.isa());
        let mut counts = [1; MAX_RANK];
        counts[..=last].copy_from_slice(dims);
        counts[turned.axis] = dims[turned.axis].div_ceil(TURNED_ROWS);
        counts[last] = dims[last].div_ceil(BLOCK);
        let (tasks, out) = (counts.iter().product(), Output::new(out));
        workers.each_task(tasks, 2 * self.program.work(self.len), |workspace, task| {
            let mut at = [0; MAX_RANK];
            let mut rest = task;
            for d in (0..=last).rev() {
                at[d] = rest % counts[d];
                rest /= counts[d];
            }
            at[turned.axis] *= TURNED_ROWS;
            at[last] *= BLOCK;
            self.tile(isa, turned, reads, &at[..=last], &out, workspace);
        });
    }

    /// The tile from point `at` on.
    fn tile(
        &self,
        isa: Isa,
        turned: &Turned,
        reads: &[&[R]],
        at: &[usize],
        out: &Output<R>,
        workspace: &mut Workspace<R>,
    ) {
        let space = self.program.space();
        let (dims, last) = (&space.dims, at.len() - 1);
        let rows = TURNED_ROWS.min(dims[turned.axis] - at[turned.axis]);
        let cols = BLOCK.min(dims[last] - at[last]);
        let Workspace { registers, scratch } = workspace;
        for (&leaf, to) in turned.leaves.iter().zip(scratch.chunks_mut(TURNED_ROWS * BLOCK)) {
            let data = space.leaves[leaf].data(reads).expect("turned leaves are stored");
            space.turn(isa, leaf, data, at, [rows, cols], (to, BLOCK));
        }
        self.program.begin(reads, registers);
        let step: usize = dims[turned.axis + 1..].iter().product();
        let first = at.iter().zip(dims).fold(0, |first, (&c, &n)| first * n + c);
        for row in 0..rows {
            let start = first + row * step;
            let mut given: [&[R]; MAX_TURNED] = [&[]; MAX_TURNED];
            let tiles = scratch.chunks(TURNED_ROWS * BLOCK).take(turned.leaves.len());
            for (given, rows) in given.iter_mut().zip(tiles) {
                *given = &rows[row * BLOCK..];
            }
            // SAFETY: tiles are apart.
            let to = unsafe { out.slice(start..start + cols) };
            self.program.block(Inputs { isa, reads, turned: &given }, start, registers, to);
        }
    }
}

impl<R: Real> Prepared<R> for Map<R> {
    fn needs(&self) -> Needs {
        Needs {
            reads: self.reads.clone(),
            write: self.len,
            registers: self.program.registers(),
            scratch: self.turned.as_ref().map_or(0, |turned| turned.leaves.len() * TURNED_ROWS * BLOCK),
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        if let Some(turned) = &self.turned {
            return self.run_turned(turned, reads, out, workers);
        }
        let isa = workers.isa();
        let is_large = self.len >= LARGE;
        let block = BLOCK.next_multiple_of(self.program.block_len());
        let most = block * if is_large { MANY_BLOCKS } else { BLOCKS };
        let task_len = workers.piece_len(self.len, most, block).max(block * FEWEST_BLOCKS);
        workers.for_each(out, task_len, self.program.work(self.len), |workspace, task, out| {
            let registers = &mut workspace.registers;
            self.program.begin(reads, registers);
            let mut start = task * task_len;
            let mut blocks = out.chunks_mut(self.program.block_len()).peekable();
            while let Some(block) = blocks.next() {
                let end = start + block.len();
                if let Some(next) = blocks.peek()
                    && is_large
                {
                    self.program.fetch(reads, end, next);
                }
                self.program.block(Inputs::new(isa, reads), start, registers, block);
                start = end;
            }
        });
    }
}
