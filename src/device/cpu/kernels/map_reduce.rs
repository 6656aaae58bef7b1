//! A fused expression, reduced over the trailing axes of its index space.
//!
//! Two orders of evaluation: *rows* runs along the reduced axes and folds each row; *columns* runs
//! along the kept axes and adds up whole blocks. The one whose leaves lie side by side is taken.
//! Long reductions are cut into parts of fixed length, which threads share; the order of additions
//! depends on the shapes alone.

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared, validate},
        loops::{evaluate::Inputs, folds, lanes, program::Compiled, space::Space},
        memory::workers::{BLOCK, Workers, Workspace},
        vectors::{Isa, Real},
    },
    plan::kernel::MapReduceKernel,
    tape::op::Reduce,
};

/// Points of one part of a long row.
const ROW_PART: usize = 32 * BLOCK;
/// Points of one part of a long column.
const COLUMN_PART: usize = 64;
/// Points that a task evaluates at most, about: every thread gets as many tasks.
const TASK: usize = 16 * BLOCK;

pub(crate) struct MapReduce<R> {
    program: Compiled<R>,
    reduce: Reduce,
    order: Order,
    /// Elements kept.
    outer: usize,
    /// Points folded into each.
    inner: usize,
    /// Parts that each fold is cut into.
    parts: usize,
    reads: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Rows,
    Columns,
}

impl<R: Real> MapReduce<R> {
    pub(crate) fn new(kernel: &MapReduceKernel) -> Result<Self, String> {
        let MapReduceKernel { dims, outer, reduce, program } = kernel;
        let reads = validate::program(program, dims, false)?;
        if *outer > dims.len() {
            return Err(format!("{outer} axes kept of {}", dims.len()));
        }
        let rows: Vec<usize> = (0..dims.len()).collect();
        let columns: Vec<usize> = (*outer..dims.len()).chain(0..*outer).collect();
        let rows = Space::new(dims, &program.leaves, &rows)?;
        let columns = Space::new(dims, &program.leaves, &columns)?;
        let [outer, inner]: [usize; 2] = [&dims[..*outer], &dims[*outer..]].map(|axes| axes.iter().product());
        let order = if columns.contiguity() > rows.contiguity() { Order::Columns } else { Order::Rows };
        let (space, parts) = match order {
            // Never by how many are kept: a trial's sum must not depend on the other trials.
            Order::Rows => (rows, inner.div_ceil(ROW_PART)),
            Order::Columns => (columns, inner.div_ceil(COLUMN_PART)),
        };
        let block = (order == Order::Rows && inner > BLOCK).then(|| space.block(BLOCK));
        let program = Compiled::new(program, space, block, Vec::new());
        Ok(MapReduce { program, reduce: *reduce, order, outer, inner, parts: parts.max(1), reads })
    }

    fn neutral(&self) -> R {
        match self.reduce {
            Reduce::Sum => R::zero(),
            Reduce::Max => R::neg_infinity(),
        }
    }

    fn combine(&self, a: R, b: R) -> R {
        match self.reduce {
            Reduce::Sum => a + b,
            Reduce::Max if a > b || a.is_nan() => a,
            Reduce::Max => b,
        }
    }

    /// Combines each total with its value.
    fn combine_all(&self, isa: Isa, values: &[R], totals: &mut [R]) {
        match self.reduce {
            Reduce::Sum => lanes::add_multiple(isa, R::one(), values, totals),
            Reduce::Max => lanes::max_into(isa, values, totals),
        }
    }

    fn fold(&self, isa: Isa, x: &[R]) -> R {
        match self.reduce {
            Reduce::Sum => folds::sum(isa, x),
            Reduce::Max => folds::max_of(isa, x),
        }
    }

    /// Folds points `from..to` of row `row`.
    fn row(
        &self,
        isa: Isa,
        reads: &[&[R]],
        row: usize,
        from: usize,
        to: usize,
        workspace: &mut Workspace<R>,
    ) -> R {
        let mut total = self.neutral();
        let mut at = from;
        while at < to {
            let len = self.program.block_len().min(to - at);
            let (registers, block) = (&mut workspace.registers, &mut workspace.scratch[..len]);
            let values =
                self.program.values(Inputs::new(isa, reads), row * self.inner + at, registers, block);
            total = self.combine(total, self.fold(isa, values));
            at += len;
        }
        total
    }

    /// Folds whole rows from `first` on, as many as fit into a block at a time.
    fn short_rows(
        &self,
        isa: Isa,
        reads: &[&[R]],
        first: usize,
        out: &mut [R],
        workspace: &mut Workspace<R>,
    ) {
        let rows = BLOCK / self.inner;
        for (i, out) in out.chunks_mut(rows).enumerate() {
            let block = &mut workspace.scratch[..out.len() * self.inner];
            self.program.block(
                Inputs::new(isa, reads),
                (first + i * rows) * self.inner,
                &mut workspace.registers,
                block,
            );
            for (out, row) in out.iter_mut().zip(block.chunks(self.inner)) {
                *out = self.fold(isa, row);
            }
        }
    }

    /// Folds points `from..to` of the columns that start at `first`.
    fn columns(
        &self,
        isa: Isa,
        reads: &[&[R]],
        first: usize,
        [from, to]: [usize; 2],
        out: &mut [R],
        workspace: &mut Workspace<R>,
    ) {
        let block = &mut workspace.scratch[..out.len()];
        out.fill(self.neutral());
        for point in from..to {
            self.program.block(
                Inputs::new(isa, reads),
                point * self.outer + first,
                &mut workspace.registers,
                block,
            );
            self.combine_all(isa, block, out);
        }
    }

    /// Outputs `first..first + out.len()`, undivided.
    fn whole(&self, isa: Isa, reads: &[&[R]], first: usize, out: &mut [R], workspace: &mut Workspace<R>) {
        self.program.begin(reads, &mut workspace.registers);
        match self.order {
            Order::Rows if self.inner <= BLOCK => self.short_rows(isa, reads, first, out, workspace),
            Order::Rows => {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = self.row(isa, reads, first + i, 0, self.inner, workspace);
                }
            }
            Order::Columns => {
                for (i, out) in out.chunks_mut(BLOCK).enumerate() {
                    self.columns(isa, reads, first + i * BLOCK, [0, self.inner], out, workspace);
                }
            }
        }
    }

    /// Part `index` of a fold that is cut: rows give `(outer, parts)`, columns `(parts, outer)`.
    fn part(&self, isa: Isa, reads: &[&[R]], index: usize, out: &mut [R], workspace: &mut Workspace<R>) {
        self.program.begin(reads, &mut workspace.registers);
        match self.order {
            Order::Rows => {
                let from = index % self.parts * ROW_PART;
                let to = self.inner.min(from + ROW_PART);
                out[0] = self.row(isa, reads, index / self.parts, from, to, workspace);
            }
            Order::Columns => {
                let from = index * COLUMN_PART;
                let to = self.inner.min(from + COLUMN_PART);
                for (i, out) in out.chunks_mut(BLOCK).enumerate() {
                    self.columns(isa, reads, i * BLOCK, [from, to], out, workspace);
                }
            }
        }
    }
}

impl<R: Real> Prepared<R> for MapReduce<R> {
    fn needs(&self) -> Needs {
        Needs {
            reads: self.reads.clone(),
            write: self.outer,
            registers: self.program.registers(),
            scratch: BLOCK,
            shared: if self.parts > 1 { self.outer * self.parts } else { 0 },
            ..Needs::default()
        }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        if self.inner == 0 {
            return out.fill(self.neutral());
        }
        let isa = workers.isa();
        let work = self.program.work(self.outer * self.inner);
        if self.parts == 1 {
            // Rows and columns are taken in whole blocks.
            let step = if self.order == Order::Columns { BLOCK } else { (BLOCK / self.inner).max(1) };
            let length = workers.piece_len(self.outer, TASK / self.inner, step);
            return workers.for_each(out, length, work, |workspace, task, out| {
                self.whole(isa, reads, task * length, out, workspace)
            });
        }
        let mut shared = workers.take_shared();
        let parts = &mut shared[..self.outer * self.parts];
        let length = if self.order == Order::Rows { 1 } else { self.outer };
        workers.for_each(parts, length, work, |workspace, task, out| {
            self.part(isa, reads, task, out, workspace)
        });
        match self.order {
            Order::Rows => {
                for (out, parts) in out.iter_mut().zip(parts.chunks(self.parts)) {
                    *out = self.fold(isa, parts);
                }
            }
            Order::Columns => {
                out.fill(self.neutral());
                for part in parts.chunks(self.outer) {
                    self.combine_all(isa, part, out);
                }
            }
        }
        workers.give_shared(shared);
    }
}
