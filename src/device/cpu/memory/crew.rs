//! Threads that stay at hand while a plan runs.
//!
//! A step of a small victim takes some ten microseconds, and waking a sleeping thread takes as long. So the pool's
//! other threads join a run once and then wait for its steps in a loop. Nobody waits for a thread that
//! is busy elsewhere: work is taken piece by piece by whoever is there.

use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

/// Looks at the next step before a waiting thread offers its processor to others, about 50 µs.
const PATIENCE: usize = 4096;

/// Work on the stack of the thread that shares it, and how many threads may take part.
type Shared = (*const (dyn Fn(usize) + Sync), usize);

#[derive(Default)]
pub struct Crew {
    work: UnsafeCell<Option<Shared>>,
    /// Odd while there is work to take part in.
    generation: AtomicUsize,
    /// Threads that may be looking at the work.
    active: AtomicUsize,
    over: AtomicBool,
}

// SAFETY: `work` is written only by the leader, while the generation is even and nobody is active; it is read only by
// threads that are active and have seen the generation odd since.
unsafe impl Sync for Crew {}
// SAFETY: outside of `Crew::share` the pointer in `work` is never followed.
unsafe impl Send for Crew {}

impl Crew {
    /// Runs `body` on this thread of the pool while up to `assistants` others take part in what it shares.
    pub fn lead(&self, assistants: usize, body: impl FnOnce() + Send) {
        if assistants == 0 {
            return body();
        }
        self.over.store(false, SeqCst);
        let lead = || {
            let _over = Finally(|| self.over.store(true, SeqCst));
            body();
        };
        rayon::join(lead, || self.gather(1, assistants));
    }

    fn gather(&self, index: usize, assistants: usize) {
        if index <= assistants {
            rayon::join(|| self.assist(index), || self.gather(index + 1, assistants));
        }
    }

    /// Calls `work(0)` here and `work(1)`, … `work(participants − 1)` on the assistants that are free; which of them
    /// are is left open.
    pub fn share(&self, participants: usize, work: &(dyn Fn(usize) + Sync)) {
        if participants <= 1 {
            return work(0);
        }
        // SAFETY: the closure outlives this call, and nobody follows the pointer once it returns. The
        // generation is even and nobody is active, for the last call waited for that.
        unsafe {
            let work: *const (dyn Fn(usize) + Sync + '_) = work;
            *self.work.get() = Some((
                std::mem::transmute::<
                    *const (dyn Fn(usize) + Sync + '_),
                    *const (dyn Fn(usize) + Sync + 'static),
                >(work),
                participants,
            ));
        }
        self.generation.fetch_add(1, SeqCst);
        let _closed = Finally(|| {
            self.generation.fetch_add(1, SeqCst);
            while self.active.load(SeqCst) != 0 {
                std::hint::spin_loop();
            }
        });
        work(0);
    }

    fn assist(&self, index: usize) {
        let (mut seen, mut waited) = (0, 0);
        while !self.over.load(SeqCst) {
            let generation = self.generation.load(SeqCst);
            if generation.is_multiple_of(2) || generation == seen {
                waited += 1;
                if waited < PATIENCE {
                    std::hint::spin_loop()
                } else {
                    std::thread::yield_now()
                }
                continue;
            }
            (seen, waited) = (generation, 0);
            self.active.fetch_add(1, SeqCst);
            let _left = Finally(|| {
                self.active.fetch_sub(1, SeqCst);
            });
            // The leader closes its work before it looks who is active: whoever still sees it open is waited for.
            if self.generation.load(SeqCst) == generation {
                // SAFETY: the work is open and this thread active, so that the leader waits in `share`.
                let (work, participants) = unsafe { (*self.work.get()).expect("open work") };
                if index < participants {
                    // SAFETY: as above.
                    unsafe { (*work)(index) }
                }
            }
        }
    }
}

/// Done at the end of a scope, also where it ends by a panic.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
