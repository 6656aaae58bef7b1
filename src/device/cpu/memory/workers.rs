//! Threads and the memory that each of them works in.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crate::device::{
    DeviceError,
    cpu::{
        memory::{
            crew::Crew,
            pages::{Piece, pieces},
        },
        vectors::{Isa, Real},
    },
};

/// Estimated nanoseconds of a step below which waking another thread costs more than it saves.
const PARALLEL_WORK: usize = 8_000;

/// Elements of a register, and of a block of a fused program at most.
pub(crate) const BLOCK: usize = 1024;

/// What one thread needs to run any step of a plan.
pub struct Workspace<R> {
    /// Values of a fused program, one block of elements each.
    pub registers: Vec<Vec<R>>,
    /// Packed operands and the like.
    pub scratch: Piece<R>,
}

/// The workspaces of a plan, one a thread, allocated before the first run.
pub struct Workers<R> {
    workspaces: Vec<Workspace<R>>,
    /// Memory of a step as a whole: partial sums, packed operands.
    shared: Piece<R>,
    /// Packed operands that all threads read.
    packed: Piece<R>,
    /// A workspace's registers, and elements of its scratch.
    needs: [usize; 2],
    crew: Arc<Crew>,
    isa: Isa,
}

impl<R: Real> Workers<R> {
    /// So many registers and elements of scratch for each thread, elements for a step as a whole, and of packed operands.
    pub fn new(isa: Isa, [registers, scratch, shared, packed]: [usize; 4]) -> Result<Self, DeviceError> {
        let mut pieces_of_all = pieces(&[shared, packed])?.into_iter();
        let mut piece = || pieces_of_all.next().unwrap_or_default();
        let (shared, packed) = (piece(), piece());
        let (workspaces, crew) = (Vec::new(), Arc::default());
        let mut workers = Workers { workspaces, shared, packed, needs: [registers, scratch], crew, isa };
        workers.fit_pool()?;
        Ok(workers)
    }

    /// One workspace for every thread of the current pool. Allocates only where the pool is not the
    /// one that the plan was compiled in.
    pub fn fit_pool(&mut self) -> Result<(), DeviceError> {
        let [registers, scratch] = self.needs;
        let missing = rayon::current_num_threads().saturating_sub(self.workspaces.len());
        if missing > 0 {
            let registers = vec![vec![R::zero(); BLOCK]; registers];
            let of = |scratch| Workspace { registers: registers.clone(), scratch };
            self.workspaces.extend(pieces(&vec![scratch; missing])?.into_iter().map(of));
        }
        Ok(())
    }

    /// The instruction set to compute with.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads to run with.
    pub fn crew(&self) -> Arc<Crew> {
        self.crew.clone()
    }

    /// Lends the step's shared memory, so that it can be used beside the workspaces.
    pub fn take_shared(&mut self) -> Piece<R> {
        std::mem::take(&mut self.shared)
    }

    pub fn give_shared(&mut self, shared: Piece<R>) {
        self.shared = shared;
    }

    /// As [`Workers::take_shared`], the memory of packed operands.
    pub fn take_packed(&mut self) -> Piece<R> {
        std::mem::take(&mut self.packed)
    }

    pub fn give_packed(&mut self, packed: Piece<R>) {
        self.packed = packed;
    }

    /// Threads that a step of about `work` nanoseconds is worth.
    pub fn threads_for(&self, work: usize) -> usize {
        if work < PARALLEL_WORK { 1 } else { self.workspaces.len() }
    }

    /// Length of pieces that share `total` elements evenly among all threads: a multiple of `step`, and of `most` elements at most
    /// but for rounding up.
    pub fn piece_len(&self, total: usize, most: usize, step: usize) -> usize {
        let threads = self.workspaces.len().max(1);
        let rounds = total.div_ceil(threads * most.max(1)).max(1);
        total.div_ceil(threads * rounds).next_multiple_of(step.max(1)).max(1)
    }

    /// Cuts `out` into blocks of `length` and calls `body(workspace, index of the block, block)` for each.
    /// `work` is the estimated time of all of them in nanoseconds: long steps are spread over the threads.
    ///
    /// A block's values must not depend on what the workspace held before; so they do not depend
    /// on the thread either.
    pub fn for_each(
        &mut self,
        out: &mut [R],
        length: usize,
        work: usize,
        body: impl Fn(&mut Workspace<R>, usize, &mut [R]) + Sync,
    ) {
        let length = length.max(1);
        let threads = self.threads_for(work).min(out.len().div_ceil(length));
        let queue = Mutex::new(out.chunks_mut(length).enumerate());
        fork(&self.crew, &mut self.workspaces[..threads], &|workspace| {
            loop {
                // The lock is released before the block is computed.
                let next = queue.lock().expect("taking a block does not panic").next();
                let Some((index, block)) = next else { return };
                body(workspace, index, block);
            }
        });
    }

    /// Calls `body(workspace, task)` for each task below `tasks`, as [`Workers::for_each`] does.
    pub fn each_task(&mut self, tasks: usize, work: usize, body: impl Fn(&mut Workspace<R>, usize) + Sync) {
        let threads = self.threads_for(work).min(tasks);
        let next = AtomicUsize::new(0);
        fork(&self.crew, &mut self.workspaces[..threads], &|workspace| {
            loop {
                let task = next.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    return;
                }
                body(workspace, task);
            }
        });
    }
}

/// Calls `body` with each workspace whose thread is free, and at least with the first. Allocates nothing.
fn fork<R: Send>(crew: &Crew, workspaces: &mut [Workspace<R>], body: &(impl Fn(&mut Workspace<R>) + Sync)) {
    struct Start<R>(*mut Workspace<R>);
    // SAFETY: every participant has an index, and so a workspace, of its own.
    unsafe impl<R: Send> Sync for Start<R> {}
    let start = Start(workspaces.as_mut_ptr());
    let (start, participants) = (&start, workspaces.len());
    if participants > 0 {
        // SAFETY: the index is below the number of participants, and the slice is borrowed for the call.
        crew.share(participants, &move |index| body(unsafe { &mut *start.0.add(index) }));
    }
}
