//! Matrix products whose operands may be computed while they are packed.
//!
//! Blocks of A and B are brought into the caches and multiplied there ([`tile`]). A convolution packs its patches straight into
//! the blocks, so its matrix of columns is never stored. The crates for matrix products pack by themselves into memory that they
//! allocate, or choose the instruction set by themselves, or both.
//!
//! Every element of C adds its products in one order, given by K alone: neither the cut into tasks nor the number of
//! threads changes a bit. All memory comes from the workspace.

mod layout;
mod operand;
mod tile;

use std::ops::Range;

pub use layout::Layout;
pub use operand::{Operand, Strided, Transposed, copy_rows};

pub use tile::{Block, Panels, Place, multiply as multiply_panels};

use self::tile::COLS;
use crate::device::cpu::{
    memory::{output::Output, prefetch::prefetch, workers::Workers},
    vectors::{Isa, Real},
};

/// Depth of a block.
pub const KC: usize = 256;
/// Rows of a block of A, which stays in the second-level cache.
const MC: usize = 96;
/// Columns of a block of B.
const NC: usize = 64;
/// Rows, or products of a sum, so few that moving B and C is most of the work; and columns of a block then: longer runs are
/// moved faster.
const FEW: usize = 64;
const FEW_NC: usize = 256;
/// Rows of B that are asked for before they are copied.
const AHEAD: usize = 4;
/// Most columns of a task.
const TASK_COLS: usize = 512;

/// One product of `count` equal ones.
pub struct Problem<A, B> {
    /// `(M,K)`
    pub a: A,
    /// `(K,N)`
    pub b: B,
    /// Where C goes.
    pub c: Layout,
}

/// Elements of scratch that a thread needs for products of these sizes: blocks of A, B and C.
pub fn scratch_len([m, k, n]: [usize; 3]) -> usize {
    let sizes = [m, m.min(FEW)].map(|m| block_sizes([m, k, n]));
    sizes.map(|[m, k, n]| m * k + k * n.next_multiple_of(COLS) + m * n).into_iter().fold(0, usize::max)
}

/// Sizes of a block of a product of these sizes.
fn block_sizes([m, k, n]: [usize; 3]) -> [usize; 3] {
    [m.min(MC), k.min(KC), n.min(if m.min(k) <= FEW { FEW_NC } else { NC })]
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
    let (isa, out) = (workers.isa(), Output::new(out));
    workers.each_task(count * row_tasks * col_tasks, work, |workspace, task| {
        let (index, cell) = (task / (row_tasks * col_tasks), task % (row_tasks * col_tasks));
        let (i, j) = (cell % row_tasks * rows, cell / row_tasks * cols);
        let problem = problem(index);
        let (rows, cols) = (i..m.min(i + rows), j..n.min(j + cols));
        // SAFETY: tasks are cells of a grid over C, and layouts give every element its own address.
        unsafe { block(isa, &problem, k, rows, cols, &out, &mut workspace.scratch) }
    });
}

/// Estimated nanoseconds for so many multiplications, on one thread.
pub fn work(multiplications: usize) -> usize {
    multiplications / 40
}

/// Rows and columns of a task: as large as packing likes them, unless threads would go without.
fn grid([m, n]: [usize; 2], count: usize, threads: usize) -> [usize; 2] {
    let (mut rows, mut cols) = (m.max(1), n.clamp(1, TASK_COLS));
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
    isa: Isa,
    Problem { a, b, c }: &Problem<A, B>,
    k: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    out: &Output<R>,
    scratch: &mut [R],
) {
    let [m, depth, n] = block_sizes([rows.len(), k, cols.len()]);
    let (a_scratch, rest) = scratch.split_at_mut(m * depth);
    let (b_scratch, c_scratch) = rest.split_at_mut(n.next_multiple_of(COLS) * depth);
    let mut multiply = |a: Block<R>, b: &[R], rows: Range<usize>, cols: Range<usize>, d: &Range<usize>| {
        let (add, sizes) = (c.add || d.start > 0, [rows.len(), d.len(), cols.len()]);
        let b = Panels { data: b, stride: d.len() * COLS };
        if let Some(first) = c.rows_at(&rows, &cols) {
            let place = Place { out, first, row: c.row, panel: COLS, add };
            return multiply_panels(isa, sizes, KC, a, b, place);
        }
        let width = cols.len();
        let own = Output::new(&mut c_scratch[..rows.len() * width]);
        let place = Place { out: &own, first: 0, row: width, panel: COLS, add: false };
        multiply_panels(isa, sizes, KC, a, b, place);
        // SAFETY: the caller's promise.
        unsafe { c.store(out, rows, cols, c_scratch, width, add) };
    };
    // What is packed in the outer loop is packed once, the other once for every outer block.
    let stored = a.borrow(rows.start..rows.start + m, 0..depth).is_some_and(|(_, [_, col])| col == 1);
    let a_outside = rows.len() <= MC || !stored && rows.len() / MC <= cols.len() / NC;
    if a_outside {
        for (rows, depth) in blocks(rows, MC, k) {
            let left = left_block(a, rows.clone(), depth.clone(), a_scratch);
            for cols in chunks(cols.clone(), n) {
                right_block(b, depth.clone(), cols.clone(), b_scratch);
                multiply(left, b_scratch, rows.clone(), cols, &depth);
            }
        }
    } else {
        for (cols, depth) in blocks(cols, n, k) {
            right_block(b, depth.clone(), cols.clone(), b_scratch);
            for rows in chunks(rows.clone(), MC) {
                let left = left_block(a, rows.clone(), depth.clone(), a_scratch);
                multiply(left, b_scratch, rows, cols.clone(), &depth);
            }
        }
    }
}

/// Blocks of `len` of a range, each with all its depths in order.
fn blocks(range: Range<usize>, len: usize, k: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    chunks(range, len).flat_map(move |block| chunks(0..k, KC).map(move |depth| (block.clone(), depth)))
}

/// The block where it is stored if it is read along its rows; else a copy.
fn left_block<'a, R: Real>(
    a: &'a impl Operand<R>,
    rows: Range<usize>,
    depth: Range<usize>,
    scratch: &'a mut [R],
) -> Block<'a, R> {
    match a.borrow(rows.clone(), depth.clone()) {
        Some((data, [row, 1])) => Block { data, row },
        _ => {
            let row = depth.len();
            a.copy(rows, depth, scratch, row);
            Block { data: scratch, row }
        }
    }
}

/// Copies the block as panels of sixteen columns.
fn right_block<R: Real>(b: &impl Operand<R>, depth: Range<usize>, cols: Range<usize>, to: &mut [R]) {
    let panel = COLS * depth.len();
    if let Some((data, [row, 1])) = b.borrow(depth.clone(), cols.clone())
        && cols.len().is_multiple_of(COLS)
    {
        // Along the rows of what is stored, for it may not be in any cache.
        for k in 0..depth.len() {
            if k + AHEAD < depth.len() {
                prefetch(&data[(k + AHEAD) * row..][..cols.len()]);
            }
            for (i, from) in data[k * row..][..cols.len()].as_chunks::<COLS>().0.iter().enumerate() {
                *to[i * panel + k * COLS..].first_chunk_mut().expect("a row lies in its panel") = *from;
            }
        }
        return;
    }
    for (cols, to) in chunks(cols, COLS).zip(to.chunks_mut(panel)) {
        b.copy(depth.clone(), cols, to, COLS);
    }
}

/// Cuts a range into pieces of `len`.
fn chunks(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(len.max(1)).map(move |start| start..end.min(start + len))
}
