//! Matrix products whose operands may be computed while they are packed.
//!
//! Blocks of A and B are brought into the caches and multiplied there ([`tile`]). A convolution packs its patches straight into
//! the blocks, so its matrix of columns is never stored. The crates for matrix products pack by themselves into memory that they
//! allocate, or choose the instruction set by themselves, or both.
//!
//! Every element of C adds its products in one order, given by K alone: neither the cut into tasks nor the number of
//! threads changes a bit. All memory comes from the workspace.

mod ahead;
mod layout;
mod operand;
mod pack;
mod sizes;
mod tile;

use std::ops::Range;

pub(crate) use layout::Layout;
pub(crate) use operand::{Operand, Strided, Transposed, copy_rows};

pub(crate) use sizes::depth_of;
pub(crate) use tile::{Block, Panels, Place, multiply as multiply_panels};

use self::{
    pack::{Packed, TURNED},
    sizes::{FEW, KC, MC, NC, block_sizes, grid, task_rows},
    tile::COLS,
};
use crate::device::cpu::{
    memory::{output::Output, workers::Workers},
    vectors::{Isa, Real},
};

/// Rows from which on several tasks share B, and most elements of B that is packed once for all of them.
const SHARED_ROWS: usize = 64;
const SHARED_LEN: usize = 1 << 21;

/// One product of `count` equal ones.
pub(crate) struct Problem<A, B> {
    /// `(M,K)`
    pub a: A,
    /// `(K,N)`
    pub b: B,
    /// Where C goes.
    pub c: Layout,
}

/// Elements of scratch that a thread needs for products of these sizes: blocks of A, B and C.
pub(crate) fn scratch_len([m, k, n]: [usize; 3]) -> usize {
    let sizes = [m, m.min(FEW)].map(|m| block_sizes([m, k, n]));
    let blocks = sizes.map(|[m, k, n]| m * k + k * n.next_multiple_of(COLS) + m * n);
    TURNED + blocks.into_iter().fold(0, usize::max)
}

/// Elements of B that is packed once for all tasks of `count` products of these sizes: 0 if each packs its own.
pub(crate) fn packed_len(count: usize, [m, k, n]: [usize; 3]) -> usize {
    let len = pack::packed_len([m, k, n]);
    if count == 1 && m >= SHARED_ROWS && len <= SHARED_LEN { len } else { 0 }
}

/// `C = A·B` for `count` problems of one size `[M, K, N]`, into disjoint elements of `out`. Elements of `out` that belong to
/// no C stay as they are.
pub(crate) fn multiply<R: Real, A: Operand<R>, B: Operand<R>>(
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
    if packed_len(count, [m, k, n]) > 0 && workers.threads_for(work) > 1 {
        return multiply_shared(workers, [m, k, n], out, &problem(0));
    }
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

/// One product, of which tasks take some rows each; B is packed before, by all threads.
fn multiply_shared<R: Real, A: Operand<R>, B: Operand<R>>(
    workers: &mut Workers<R>,
    sizes: [usize; 3],
    out: &mut [R],
    Problem { a, b, c }: &Problem<A, B>,
) {
    let mut memory = workers.take_packed();
    pack(workers, b, sizes, &mut memory);
    multiply_packed(workers, sizes, out, (a, c), &memory);
    workers.give_packed(memory);
}

/// Packs all of B for [`multiply_packed`], by all threads, into the first [`packed_len`] elements.
pub(crate) fn pack<R: Real>(workers: &mut Workers<R>, b: &impl Operand<R>, sizes: [usize; 3], to: &mut [R]) {
    Packed::pack(b, sizes, to, workers);
}

/// One product with a B that was packed before; tasks take some rows each.
pub(crate) fn multiply_packed<R: Real>(
    workers: &mut Workers<R>,
    [m, k, n]: [usize; 3],
    out: &mut [R],
    (a, c): (&impl Operand<R>, &Layout),
    packed: &[R],
) {
    let packed = Packed::of(packed, n);
    let work = work(m * n * k);
    let rows = task_rows(m, workers.threads_for(work), tile::even_rows(workers.isa()));
    let (isa, out) = (workers.isa(), Output::new(out));
    workers.each_task(m.div_ceil(rows), work, |workspace, task| {
        let rows = task * rows..m.min((task + 1) * rows);
        let (a_scratch, c_scratch) = workspace.scratch.split_at_mut(rows.len() * depth_of(k));
        for depth in chunks(0..k, depth_of(k)) {
            let left = pack::left(isa, a, rows.clone(), depth.clone(), a_scratch);
            for cols in chunks(0..n, if c.is_regular(n) { n } else { NC }) {
                let right = packed.block(&depth, cols.start);
                // SAFETY: every task has rows of its own.
                unsafe { put(isa, c, (left, right), rows.clone(), cols, &depth, &out, c_scratch) };
            }
        }
    });
}

/// Estimated nanoseconds for so many multiplications, on one thread.
pub(crate) fn work(multiplications: usize) -> usize {
    multiplications / 40
}

/// One thread's product of `rows` of A and `cols` of B.
///
/// # Safety
/// No other thread may use these elements of C meanwhile.
pub(crate) unsafe fn block<R: Real, A: Operand<R>, B: Operand<R>>(
    isa: Isa,
    Problem { a, b, c }: &Problem<A, B>,
    k: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    out: &Output<R>,
    scratch: &mut [R],
) {
    let [m, depth, n] = block_sizes([rows.len(), k, cols.len()]);
    let (turned, rest) = scratch.split_at_mut(TURNED);
    let (a_scratch, rest) = rest.split_at_mut(m * depth);
    let (b_scratch, c_scratch) = rest.split_at_mut(n.next_multiple_of(COLS) * depth);
    // What is packed in the outer loop is packed once, the other once for every outer block.
    let stored = a.borrow(rows.start..rows.start + m, 0..depth).is_some_and(|(_, [_, col])| col == 1);
    let a_outside = rows.len() <= MC || !stored && rows.len() / MC <= cols.len() / NC;
    // SAFETY: the caller's promise.
    unsafe {
        if a_outside {
            for (rows, depth) in blocks(rows, MC, k) {
                let left = pack::left(isa, a, rows.clone(), depth.clone(), a_scratch);
                for cols in chunks(cols.clone(), n) {
                    pack::right(isa, b, depth.clone(), cols.clone(), b_scratch, turned);
                    put(isa, c, (left, &*b_scratch), rows.clone(), cols, &depth, out, c_scratch);
                }
            }
        } else {
            for (cols, depth) in blocks(cols, n, k) {
                pack::right(isa, b, depth.clone(), cols.clone(), b_scratch, turned);
                for rows in chunks(rows.clone(), MC) {
                    let left = pack::left(isa, a, rows.clone(), depth.clone(), a_scratch);
                    put(isa, c, (left, &*b_scratch), rows, cols.clone(), &depth, out, c_scratch);
                }
            }
        }
    }
}

/// Writes the product of a block of A and panels of B to C, or adds it there.
///
/// # Safety
/// As for [`block`].
#[allow(clippy::too_many_arguments)]
unsafe fn put<R: Real>(
    isa: Isa,
    c: &Layout,
    (left, right): (Block<R>, &[R]),
    rows: Range<usize>,
    cols: Range<usize>,
    depth: &Range<usize>,
    out: &Output<R>,
    scratch: &mut [R],
) {
    let (add, sizes) = (c.add || depth.start > 0, [rows.len(), depth.len(), cols.len()]);
    let right = Panels { data: right, stride: depth.len() * COLS };
    if let Some((first, panel)) = c.panels_at(&rows, &cols) {
        return multiply_panels(isa, sizes, KC, left, right, Place { out, first, row: c.row, panel, add });
    }
    let width = cols.len();
    let own = Output::new(&mut scratch[..rows.len() * width]);
    let place = Place { out: &own, first: 0, row: width, panel: COLS, add: false };
    multiply_panels(isa, sizes, KC, left, right, place);
    // SAFETY: the caller's promise.
    unsafe { c.store(out, rows, cols, scratch, width, add) };
}

/// Blocks of `len` of a range, each with all its depths in order.
fn blocks(range: Range<usize>, len: usize, k: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    chunks(range, len)
        .flat_map(move |block| chunks(0..k, depth_of(k)).map(move |depth| (block.clone(), depth)))
}

/// Cuts a range into pieces of `len`.
fn chunks(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(len.max(1)).map(move |start| start..end.min(start + len))
}
