//! Operands brought into the order in which they are multiplied.

use std::ops::Range;

use super::{Block, COLS, KC, Operand, chunks, depth_of};
use crate::device::cpu::{
    loops::transpose::transpose,
    memory::{output::Output, prefetch::prefetch, workers::Workers},
    vectors::{Isa, Real},
};

/// Rows of B that are asked for before they are copied.
const AHEAD: usize = 4;
/// Elements of scratch for a block that is turned round.
pub(crate) const TURNED: usize = COLS * KC;

/// The block where it is stored if it is read along its rows; else a copy.
pub(crate) fn left<'a, R: Real>(
    isa: Isa,
    a: &'a impl Operand<R>,
    rows: Range<usize>,
    depth: Range<usize>,
    scratch: &'a mut [R],
) -> Block<'a, R> {
    let row = depth.len();
    match a.borrow(rows.clone(), depth.clone()) {
        Some((data, [row, 1])) => return Block { data, row },
        Some((data, [1, col])) => transpose(isa, data, col, [row, rows.len()], scratch, row),
        _ => a.copy(rows, depth, scratch, row),
    }
    Block { data: scratch, row }
}

/// Copies the block as panels of sixteen columns. `turned`: [`TURNED`] elements of scratch.
pub(crate) fn right<R: Real>(
    isa: Isa,
    b: &impl Operand<R>,
    depth: Range<usize>,
    cols: Range<usize>,
    to: &mut [R],
    turned: &mut [R],
) {
    let panel = COLS * depth.len();
    match b.borrow(depth.clone(), cols.clone()) {
        Some((data, [row, 1])) if cols.len().is_multiple_of(COLS) => {
            // Along the rows of what is stored, for it may not be in any cache.
            for k in 0..depth.len() {
                if k + AHEAD < depth.len() {
                    prefetch(&data[(k + AHEAD) * row..][..cols.len()]);
                }
                for (i, from) in data[k * row..][..cols.len()].as_chunks::<COLS>().0.iter().enumerate() {
                    *to[i * panel + k * COLS..].first_chunk_mut().expect("a row lies in its panel") = *from;
                }
            }
        }
        Some((data, [1, col])) => {
            for (cols, to) in chunks(0..cols.len(), COLS).zip(to.chunks_mut(panel)) {
                transpose(isa, &data[cols.start * col..], col, [cols.len(), depth.len()], to, COLS);
            }
        }
        _ => {
            for (cols, to) in chunks(cols, COLS).zip(to.chunks_mut(panel)) {
                let sizes = [cols.len(), depth.len()];
                match b.copy_turned(cols.clone(), depth.clone(), turned) {
                    true => transpose(isa, turned, depth.len(), sizes, to, COLS),
                    false => b.copy(depth.clone(), cols, to, COLS),
                }
            }
        }
    }
}

/// All of B `(K,N)`, packed once for all tasks that multiply it: blocks of [`depth_of`] rows, each of them panels.
#[derive(Clone, Copy)]
pub(crate) struct Packed<'a, R> {
    data: &'a [R],
    cols: usize,
}

/// Elements of all of B.
pub(crate) fn packed_len([_, k, n]: [usize; 3]) -> usize {
    k * n.next_multiple_of(COLS)
}

impl<'a, R: Real> Packed<'a, R> {
    /// Packs it, by all threads.
    pub(crate) fn pack(b: &impl Operand<R>, [m, k, n]: [usize; 3], to: &mut [R], workers: &mut Workers<R>) {
        let (isa, cols) = (workers.isa(), n.next_multiple_of(COLS));
        let depth = depth_of(k);
        let blocks = k.div_ceil(depth);
        let panels = n.div_ceil(COLS);
        let out = Output::new(&mut to[..packed_len([m, k, n])]);
        workers.each_task(blocks * panels, k * n, |workspace, task| {
            let (block, panel) = (task / panels, task % panels);
            let depth = block * depth..k.min((block + 1) * depth);
            let first = depth.start * cols + panel * COLS * depth.len();
            // SAFETY: every task has a panel of its own.
            let to = unsafe { out.slice(first..first + COLS * depth.len()) };
            let columns = panel * COLS..n.min((panel + 1) * COLS);
            right(isa, b, depth, columns, to, &mut workspace.scratch[..TURNED]);
        });
    }

    /// What [`Packed::pack`] made of a B of `n` columns.
    pub(crate) fn of(data: &'a [R], n: usize) -> Self {
        Packed { data, cols: n.next_multiple_of(COLS) }
    }

    /// Rows `depth` of the columns from `first` on, which begin a panel.
    pub(crate) fn block(&self, depth: &Range<usize>, first: usize) -> &'a [R] {
        &self.data[depth.start * self.cols + first * depth.len()..][..(self.cols - first) * depth.len()]
    }
}
