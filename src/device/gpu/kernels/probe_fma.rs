//! Chains of multiply-adds in registers.

use super::super::{
    launch::{Launch, Slot},
    wgsl::{Values, Words},
};
use crate::device::DeviceError;

/// Enough to fill the largest adapter several times, and little enough for one dispatch on the smallest.
const GROUPS: usize = 2048;
const TRIPS: usize = 128;
/// Multiply-adds of each chain in one trip.
const REPEATS: usize = 4;
/// Of one trip: eight chains of four lanes, two operations a multiply-add.
const FLOPS: usize = 8 * 4 * REPEATS * 2;

/// Elements of the result.
pub(crate) const LEN: usize = GROUPS * 256;

/// The launch, and the floating-point operations that it does.
pub(crate) fn launch(write: Slot) -> Result<(Launch, u64), DeviceError> {
    let words = Words::new().set("REPEATS", REPEATS);
    let params = Values::of([("factor", 0.5f32), ("term", 1.0)]).set("trips", TRIPS);
    let launch = Launch::new("probe_fma", &words, &params, vec![], write, [GROUPS as u32, 1, 1])?;
    Ok((launch, (LEN * TRIPS * FLOPS) as u64))
}
