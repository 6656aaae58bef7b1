//! What a device can do at best, found by running work that nothing else holds up.

use super::{DeviceError, Executable};
use crate::tape::Var;

/// The limit that a probe runs into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Multiply-adds in f32, of values in registers.
    Arithmetic,
    /// Reading and writing memory, in order.
    Memory,
}

/// Work to be timed: one replay does `amount` of it.
pub struct Probe {
    /// What holds the work up.
    pub limit: Limit,
    /// Floating-point operations (a multiply-add is two) or bytes, each read and written once.
    pub amount: u64,
    /// The compiled work.
    pub executable: Box<dyn Executable>,
    /// Reading it waits for the replays before.
    pub wait: Var,
}

impl Probe {
    /// Runs so many replays and waits for the last.
    pub fn run(&mut self, replays: usize) -> Result<(), DeviceError> {
        self.executable.run(replays)?;
        self.executable.read(self.wait).map(drop)
    }
}
