//! Whether something fits into this machine's memory, asked before it is allocated: an allocation that
//! the system cannot honour ends the process.

use super::DeviceError;

/// Refuses `needed` bytes for `what` if that is more than is free, where the system says how much is.
pub fn check(what: impl FnOnce() -> String, needed: u64) -> Result<(), DeviceError> {
    let limit = available().unwrap_or(isize::MAX as u64);
    if needed > limit {
        return Err(DeviceError::TooLarge { what: what(), needed, limit_name: "free memory", limit });
    }
    Ok(())
}

/// Bytes that can be allocated without swapping (Linux), in a container at most what is left of its share.
fn available() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let machine = kilobytes * 1024;
    Some(share().map_or(machine, |share| share.min(machine)))
}

/// What is left under the control group's limit, `None` without one.
fn share() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let left = |limit, used| Some(read(limit)?.saturating_sub(read(used)?));
    left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current").or_else(|| {
        let folder = "/sys/fs/cgroup/memory";
        left(&format!("{folder}/memory.limit_in_bytes"), &format!("{folder}/memory.usage_in_bytes"))
    })
}
