//! Whether a plan fits into memory, where that can be known.

use super::real::Real;
use crate::device::DeviceError;

/// Refuses vectors of these lengths if together they need more memory than is free.
pub fn check<R: Real>(lens: impl Iterator<Item = usize>) -> Result<(), DeviceError> {
    let elements = lens.fold(0u64, |sum, len| sum.saturating_add(len as u64));
    let needed = elements.saturating_mul(size_of::<R>() as u64);
    let limit = available().unwrap_or(isize::MAX as u64);
    if needed > limit {
        return Err(DeviceError::TooLarge {
            what: "the plan".into(),
            needed,
            limit_name: "free memory",
            limit,
        });
    }
    Ok(())
}

/// Bytes that can be allocated without swapping, where the system says so (Linux).
fn available() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
