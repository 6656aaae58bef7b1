//! Matrix products whose operands may be computed while they are packed.
//!
//! The scheme of GotoBLAS and BLIS (Van Zee & van de Geijn, 2015): B is packed in panels of NR columns that
//! stay in the first-level cache, a block of A stays in the second, and a tile of C in registers. A convolution packs its
//! patches straight into the panels, so its matrix of columns is never stored.
//!
//! Every element of C adds its products in one order, given by K alone: neither the cut into tasks nor the number of
//! threads changes a bit. All memory comes from the workspace.

mod operand;
mod output;
pub mod tile;

use std::ops::Range;

pub use operand::{Operand, Strided, Transposed};
pub use output::{Layout, Output};

use super::{real::Real, workers::Workers};
use tile::Rows;

/// Depth of a packed block: a panel of B takes half of the first-level cache.
const KC: usize = 256;
/// Rows of a block of A; a multiple of every tile's rows.
const MC: usize = 96;
/// Columns of a packed block of B; a multiple of every tile's columns.
const NC: usize = 512;

/// One product of `count` equal ones.
pub struct Problem<A, B> {
    /// `(M,K)`
    pub a: A,
    /// `(K,N)`
    pub b: B,
    /// Where C goes.
    pub c: Layout,
}

/// Elements of scratch that a thread needs for products of these sizes.
pub fn scratch_len([m, k, n]: [usize; 3]) -> usize {
    a_len(m, k) + k.min(KC) * n.min(NC).next_multiple_of(128)
}

fn a_len(m: usize, k: usize) -> usize {
    // Whole tiles of any instruction set.
    m.min(MC).next_multiple_of(12) * k.min(KC)
}

/// `C = A·B` for `count` problems of one size `[M, K, N]`, into disjoint elements of `out`. Elements of `out` that belong to
/// no C stay as they are.
pub fn multiply<R: Real, A: Operand<R>, B: Operand<R>>(
    workers: &mut Workers<R>,
    count: usize,
    [m, k, n]: [usize; 3],
    out: &mut [R],
    problem: impl Fn(usize) -> Problem<A, B> + Sync,
) {
    if k == 0 {
        return out.fill(R::zero());
    }
    let work = work(count * m * n * k);
    let [rows, cols] = grid([m, n], count, workers.threads_for(work));
    let [row_tasks, col_tasks] = [m.div_ceil(rows), n.div_ceil(cols)];
    let out = Output::new(out);
    workers.each_task(count * row_tasks * col_tasks, work, |workspace, task| {
        let (index, cell) = (task / (row_tasks * col_tasks), task % (row_tasks * col_tasks));
        let (i, j) = (cell % row_tasks * rows, cell / row_tasks * cols);
        let problem = problem(index);
        let (rows, cols) = (i..m.min(i + rows), j..n.min(j + cols));
        // SAFETY: tasks are cells of a grid over C, and layouts give every element its own address.
        unsafe { block(&problem, k, rows, cols, &out, &mut workspace.scratch) }
    });
}

/// Estimated nanoseconds for so many multiplications, on one thread.
pub fn work(multiplications: usize) -> usize {
    multiplications / 40
}

/// Rows and columns of a task: as large as packing likes them, unless threads would go without.
fn grid([m, n]: [usize; 2], count: usize, threads: usize) -> [usize; 2] {
    let (mut rows, mut cols) = (m.max(1), n.clamp(1, NC));
    if threads > 1 {
        // Four tasks a thread keep all of them busy to the end.
        let tasks = |rows: usize, cols: usize| count * m.div_ceil(rows) * n.div_ceil(cols);
        while tasks(rows, cols) < 4 * threads && cols > 128 {
            cols = (cols / 2).next_multiple_of(64);
        }
        while tasks(rows, cols) < 2 * threads && rows > 24 {
            rows = (rows / 2).next_multiple_of(12);
        }
    }
    [rows, cols]
}

/// One thread's product of `rows` of A and `cols` of B.
///
/// # Safety
/// No other thread may use these elements of C meanwhile.
pub unsafe fn block<R: Real, A: Operand<R>, B: Operand<R>>(
    Problem { a, b, c }: &Problem<A, B>,
    k: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    out: &Output<R>,
    scratch: &mut [R],
) {
    let [mr, nr] = R::tile_shape();
    let (a_scratch, b_scratch) = scratch.split_at_mut(a_len(rows.len(), k));
    let mut tile = [R::zero(); tile::MAX_TILE];
    for (cols, depth) in chunks(cols, NC).flat_map(|cols| chunks(0..k, KC).map(move |d| (cols.clone(), d))) {
        let panel_len = depth.len() * nr;
        for (cols, panel) in chunks(cols.clone(), nr).zip(b_scratch.chunks_mut(panel_len)) {
            b.copy(depth.clone(), cols.clone(), panel, panel_width(nr, cols.len()));
        }
        for block in chunks(rows.clone(), MC) {
            let left = left_block(a, block.clone(), depth.clone(), cols.len() <= nr, a_scratch);
            for (cols, panel) in chunks(cols.clone(), nr).zip(b_scratch.chunks(panel_len)) {
                let width = panel_width(nr, cols.len());
                let panel = &panel[..depth.len() * width];
                for (i, rows) in chunks(block.clone(), mr).enumerate() {
                    let strides = Rows { count: rows.len(), row: left.row, depth: left.depth };
                    R::multiply_tile(&left.data[i * left.tile..], strides, panel, &mut tile, width == nr);
                    // SAFETY: the caller's promise.
                    unsafe { c.store(out, rows, cols.clone(), &tile, width, depth.start > 0) };
                }
            }
        }
    }
}

/// Columns of a panel that holds `cols`: a half one wastes less.
fn panel_width(nr: usize, cols: usize) -> usize {
    if cols <= nr / 2 { nr / 2 } else { nr }
}

/// A block of A: element `(i, k)` of the tile at row `t·MR` is at `t·tile + i·row + k·depth`.
struct Left<'a, R> {
    data: &'a [R],
    tile: usize,
    row: usize,
    depth: usize,
}

/// The block where it is stored if it is read along its rows, or `once`; else a copy that is read from front to back.
fn left_block<'a, R: Real>(
    a: &'a impl Operand<R>,
    rows: Range<usize>,
    depth: Range<usize>,
    once: bool,
    scratch: &'a mut [R],
) -> Left<'a, R> {
    let [mr, _] = R::tile_shape();
    match a.borrow(rows.clone(), depth.clone()) {
        Some((data, [row, step])) if step == 1 || (row == 1 && once) => {
            Left { data, tile: mr * row, row, depth: step }
        }
        _ if a.is_column_major() => {
            let tile = mr * depth.len();
            for (rows, panel) in chunks(rows, mr).zip(scratch.chunks_mut(tile)) {
                a.copy_transposed(rows, depth.clone(), panel, mr);
            }
            Left { data: scratch, tile, row: 1, depth: mr }
        }
        _ => {
            a.copy(rows, depth.clone(), scratch, depth.len());
            Left { data: scratch, tile: mr * depth.len(), row: depth.len(), depth: 1 }
        }
    }
}

/// Cuts a range into pieces of `len`.
fn chunks(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(len.max(1)).map(move |start| start..end.min(start + len))
}
