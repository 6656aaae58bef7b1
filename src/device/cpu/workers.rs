//! Threads and the memory that each of them works in.

use std::sync::Mutex;

use super::real::Real;

/// Operations in a step below which waking another thread costs more than it saves.
pub const PARALLEL_WORK: usize = 100_000;

/// What one thread needs to run any step of a plan.
#[derive(Clone, Default)]
pub struct Workspace<R> {
    /// Values of a fused program, one block of elements each.
    pub registers: Vec<Vec<R>>,
    /// Columns of a convolution and the like.
    pub scratch: Vec<R>,
}

/// The workspaces of a plan, one a thread, allocated before the first run.
pub struct Workers<R> {
    workspaces: Vec<Workspace<R>>,
    /// Memory of a step as a whole: partial sums, packed operands.
    shared: Vec<R>,
}

impl<R: Real> Workers<R> {
    pub fn new(workspace: Workspace<R>, shared: usize) -> Self {
        let mut workers = Workers { workspaces: vec![workspace], shared: vec![R::zero(); shared] };
        workers.fit_pool();
        workers
    }

    /// One workspace for every thread of the current pool. Allocates only where the pool is not the
    /// one that the plan was compiled in.
    pub fn fit_pool(&mut self) {
        let threads = rayon::current_num_threads();
        if self.workspaces.len() < threads {
            let first = self.workspaces[0].clone();
            self.workspaces.resize(threads, first);
        }
    }

    /// Lends the step's shared memory, so that it can be used beside the workspaces.
    pub fn take_shared(&mut self) -> Vec<R> {
        std::mem::take(&mut self.shared)
    }

    pub fn give_shared(&mut self, shared: Vec<R>) {
        self.shared = shared;
    }

    /// Cuts `out` into blocks of `length` and calls `body(workspace, index of the block, block)` for each.
    /// `work` is the number of operations in all of it: large steps are spread over the threads.
    ///
    /// A block's values must not depend on the workspace's contents; so they do not depend on
    /// the thread either.
    pub fn for_each(
        &mut self,
        out: &mut [R],
        length: usize,
        work: usize,
        body: impl Fn(&mut Workspace<R>, usize, &mut [R]) + Sync,
    ) {
        if work < PARALLEL_WORK || out.len() <= length || self.workspaces.len() == 1 {
            for (index, block) in out.chunks_mut(length.max(1)).enumerate() {
                body(&mut self.workspaces[0], index, block);
            }
            return;
        }
        let blocks = out.len().div_ceil(length);
        let queue = Mutex::new(out.chunks_mut(length).enumerate());
        let threads = self.workspaces.len().min(blocks);
        fork(&mut self.workspaces[..threads], &|workspace| {
            loop {
                let next = queue.lock().expect("no body panics").next();
                let Some((index, block)) = next else { return };
                body(workspace, index, block);
            }
        });
    }
}

/// Calls `body` once for each workspace, at the same time where threads are free.
/// `rayon::join` keeps its jobs on the stack, so this allocates nothing.
fn fork<R: Send>(workspaces: &mut [Workspace<R>], body: &(impl Fn(&mut Workspace<R>) + Sync)) {
    match workspaces {
        [] => {}
        [one] => body(one),
        more => {
            let (left, right) = more.split_at_mut(more.len() / 2);
            rayon::join(|| fork(left, body), || fork(right, body));
        }
    }
}
