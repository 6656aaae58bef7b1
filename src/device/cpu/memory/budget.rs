//! Whether a plan fits into memory, where that can be known.

use crate::{
    device::{DeviceError, cpu::vectors::Real, host},
    plan::Plan,
};

/// Bytes of a plan's buffers and `extra` elements beside them; an error if that is more memory than is free.
pub(crate) fn required<R: Real>(plan: &Plan, extra: usize) -> Result<u64, DeviceError> {
    let bytes = |len: usize| (len as u64).saturating_mul(size_of::<R>() as u64);
    let needed = plan.buffers.iter().fold(bytes(extra), |sum, &len| sum.saturating_add(bytes(len)));
    let what = || match (0..plan.buffers.len()).max_by_key(|&id| plan.buffers[id]) {
        Some(id) => format!(
            "the plan of {} buffers, of which the largest is {} of {} bytes,",
            plan.buffers.len(),
            plan.describe_buffer(id),
            bytes(plan.buffers[id])
        ),
        None => "the plan".into(),
    };
    host::check(what, needed)?;
    Ok(needed)
}
