//! A file system that breaks on purpose, for tests: the n-th change to it fails as on a full disk, or ends the process as a kill
//! would. Nothing in the program calls [`break_at`].

use std::{
    io, process,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// Exit code of a process that ends at a change.
pub const KILLED: i32 = 137;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The change is not made; later ones are.
    Error,
    /// The process ends before the change, and nothing is cleaned up.
    Kill,
}

/// Changes until the fault; 0: there is none.
static LEFT: AtomicU64 = AtomicU64::new(0);
static KILLS: AtomicBool = AtomicBool::new(false);

/// Of the changes that this process makes from now on, the `number`-th, counted from 1, meets this fault.
pub fn break_at(number: u64, fault: Fault) {
    KILLS.store(fault == Fault::Kill, Relaxed);
    LEFT.store(number, Relaxed);
}

/// Whether the fault that was set has not come yet: there were fewer changes.
pub fn is_set() -> bool {
    LEFT.load(Relaxed) > 0
}

/// Stands before each change: a file or folder that is made, written to, renamed or removed.
pub fn step() -> io::Result<()> {
    if LEFT.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) != Ok(1) {
        return Ok(());
    }
    if KILLS.load(Relaxed) {
        process::exit(KILLED);
    }
    Err(io::Error::new(io::ErrorKind::StorageFull, "no space left (a test's fault)"))
}
