//! What of this machine a file may take: bytes of memory, and pixels of a picture.

use std::{
    fs::read_to_string,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Pixels of a picture, unless told otherwise: most cameras have fewer.
pub const MAX_PIXELS: u64 = 50_000_000;

static PIXELS: AtomicU64 = AtomicU64::new(MAX_PIXELS);
static MEMORY: AtomicU64 = AtomicU64::new(u64::MAX);

/// The most pixels that a picture may have.
pub fn max_pixels() -> u64 {
    PIXELS.load(Relaxed)
}

/// From now on, in this process.
pub fn set_max_pixels(pixels: u64) {
    PIXELS.store(pixels, Relaxed);
}

/// The most bytes that anything in this process may take at once, from now on.
pub fn set_memory(bytes: u64) {
    MEMORY.store(bytes, Relaxed);
}

/// Bytes that can be allocated: those that were allowed, and no more than are free where the system says how many are.
pub fn memory() -> u64 {
    available().unwrap_or(isize::MAX as u64).min(MEMORY.load(Relaxed))
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
