//! How a product is cut: into blocks that stay in the caches, and into tasks.

/// Most depth of a block.
pub(super) const KC: usize = 288;
/// Rows of a block of A, which stays in the second-level cache.
pub(super) const MC: usize = 96;
/// Columns of a block of B.
pub(super) const NC: usize = 64;
/// Rows, or products of a sum, so few that moving B and C is most of the work; and columns of a block then: longer runs are
/// moved faster.
pub(super) const FEW: usize = 64;
const FEW_NC: usize = 256;
/// Most columns of a task.
const TASK_COLS: usize = 512;
/// Fewest rows of a task that shares B.
const TASK_ROWS: usize = 24;
/// Numbers of tasks a thread that are tried for a product that shares B.
const TASKS: usize = 8;

/// Depth of the blocks of products of `k` terms, which is as even as can be: a last block of a few terms would take C through the
/// registers once more for little.
pub(crate) fn depth_of(k: usize) -> usize {
    k.div_ceil(k.div_ceil(KC).max(1)).max(1)
}

/// Sizes of a block of a product of these sizes.
pub(super) fn block_sizes([m, k, n]: [usize; 3]) -> [usize; 3] {
    [m.min(MC), depth_of(k), n.min(if m.min(k) <= FEW { FEW_NC } else { NC })]
}

/// Rows of one task, where `threads` threads share `m` rows: of [`TASKS`] multiples of `step`, which divides 24, the one with
/// which the last thread is done first. Of equal ones it is the smallest: where a thread is held up, the others take over more
/// of its work.
pub(super) fn task_rows(m: usize, threads: usize, step: usize) -> usize {
    let size = |tasks: usize| m.div_ceil(threads * tasks).next_multiple_of(step).clamp(TASK_ROWS, MC);
    let last = |rows: &usize| {
        let whole = (m.div_ceil(*rows) - 1) / threads;
        let is_even = (m.div_ceil(*rows) - 1).is_multiple_of(threads);
        whole * rows + if is_even { m - whole * threads * rows } else { *rows }
    };
    let fewest = m.div_ceil(threads * MC).max(1);
    (fewest..fewest + TASKS).rev().map(size).min_by_key(last).unwrap_or(TASK_ROWS)
}

/// Rows and columns of a task: as large as packing likes them, unless threads would go without.
pub(super) fn grid([m, n]: [usize; 2], count: usize, threads: usize) -> [usize; 2] {
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

#[cfg(test)]
mod tests {
    use super::{super::chunks, *};

    /// When the last of the threads is done, each of which takes the next task when it is free.
    fn done(m: usize, rows: usize, threads: usize) -> usize {
        let mut busy = vec![0; threads];
        for task in chunks(0..m, rows) {
            *busy.iter_mut().min().unwrap() += task.len();
        }
        busy.into_iter().max().unwrap()
    }

    #[test]
    fn blocks_have_almost_the_same_depth() {
        assert_eq!([0, 1, 260, 288].map(depth_of), [1, 1, 260, 288]);
        assert_eq!([289, 576, 768, 1024].map(depth_of), [145, 288, 256, 256]);
        for k in 1..5000 {
            let depths: Vec<usize> = chunks(0..k, depth_of(k)).map(|block| block.len()).collect();
            let (least, most) = (depths.iter().min().unwrap(), depths.iter().max().unwrap());
            assert!(*most <= KC && most - least < depths.len(), "{k}: {depths:?}");
        }
    }

    #[test]
    fn rows_are_shared_so_that_no_thread_waits_for_long() {
        // Of 260 rows two threads have 130 each at best, of 1,024 512.
        assert_eq!(task_rows(260, 2, 4), 44);
        assert_eq!(task_rows(260, 2, 6), 66);
        assert_eq!(task_rows(1024, 2, 4), 64);
        assert_eq!(task_rows(64, 64, 4), TASK_ROWS);
        for (m, threads) in [64, 65, 100, 197, 260, 788, 5000]
            .into_iter()
            .flat_map(|m| [2, 3, 4, 8, 16].map(|threads| (m, threads)))
        {
            for step in [4, 6] {
                let rows = task_rows(m, threads, step);
                assert!(
                    (TASK_ROWS..=MC).contains(&rows) && rows.is_multiple_of(step),
                    "{m} {threads}: {rows}"
                );
                assert!(100 * done(m, rows, threads) <= 101 * done(m, 48, threads), "{m} {threads}: {rows}");
            }
        }
    }
}
