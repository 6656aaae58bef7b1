//! Whether something fits into this machine's memory, asked before it is allocated: an allocation that
//! the system cannot honour ends the process.

use super::DeviceError;
use crate::files::limits;

/// Refuses `needed` bytes for `what` if that is more than is free, where the system says how much is.
pub fn check(what: impl FnOnce() -> String, needed: u64) -> Result<(), DeviceError> {
    let limit = limits::memory();
    if needed > limit {
        return Err(DeviceError::TooLarge { what: what(), needed, limit_name: "free memory", limit });
    }
    Ok(())
}
