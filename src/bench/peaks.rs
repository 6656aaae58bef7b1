//! What a device can do at best.

use serde::Serialize;

use super::{BenchError, sample};
use crate::device::{Device, probe::Limit};

/// Measured limits of a device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peaks {
    /// Multiply-adds in f32 from registers, each counted as two.
    pub flops_per_second: f64,
    /// A triad over arrays larger than the caches.
    pub bytes_per_second: f64,
}

/// Measures each limit for about `seconds`; the best sample counts.
pub fn peaks(device: &dyn Device, seconds: f64) -> Result<Peaks, BenchError> {
    let best = |limit| -> Result<f64, BenchError> {
        let mut probe = device.probe(limit)?;
        let spread = sample(seconds, |replays| probe.run(replays))?;
        Ok(probe.amount as f64 / spread.lowest)
    };
    Ok(Peaks { flops_per_second: best(Limit::Arithmetic)?, bytes_per_second: best(Limit::Memory)? })
}
