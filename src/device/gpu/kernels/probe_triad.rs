//! A triad over memory.

use super::super::{
    launch::{Launch, Slot, fold},
    wgsl::{Values, Words},
};
use crate::device::DeviceError;

/// Elements of each array: 128 MiB, or what a binding can hold; together more than an adapter's caches.
pub(crate) fn len(binding_bytes: u64) -> usize {
    (binding_bytes.min(128 << 20) / 16 * 4) as usize
}

/// The launch over arrays of `len` elements, and the bytes that it reads and writes.
pub(crate) fn launch(len: usize, reads: Vec<Slot>, write: Slot) -> Result<(Launch, u64), DeviceError> {
    let vectors = len / 4;
    let groups = fold(vectors.div_ceil(256))?;
    let params = Values::of([("factor", 3.0f32)]).set("size", vectors).set("fold", groups[0]);
    let launch = Launch::new("probe_triad", &Words::new(), &params, reads, write, groups)?;
    Ok((launch, 3 * 16 * vectors as u64))
}
