//! Whether something fits into this machine's memory, asked before it is allocated: an allocation that
//! the system cannot honour ends the process.

use std::fs::read_to_string;

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
    let info = read_to_string("/proc/meminfo").ok()?;
    let kilobytes: u64 = line_of(&info, "MemAvailable:")?.strip_suffix("kB")?.trim().parse().ok()?;
    let machine = kilobytes * 1024;
    Some(share().map_or(machine, |share| share.min(machine)))
}

/// What is left under the control group's limit; files that it has cached give way.
fn share() -> Option<u64> {
    let read = |name: &str| read_to_string(format!("/sys/fs/cgroup/memory.{name}")).ok();
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (limit, used) = (number(&read("max")?)?, number(&read("current")?)?);
    let stat = read("stat")?;
    let cached: u64 =
        ["inactive_file ", "active_file "].iter().filter_map(|key| number(line_of(&stat, key)?)).sum();
    Some(limit.saturating_sub(used.saturating_sub(cached)))
}

/// The rest of the line that starts with `key`.
fn line_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    Some(text.lines().find_map(|line| line.strip_prefix(key))?.trim())
}
