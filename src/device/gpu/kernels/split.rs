//! How a long sum is split over workgroups, and how their partial results are summed.

use super::{
    super::launch::{Launch, Slot},
    BUSY, Style, WORKGROUP, map_reduce,
};
use crate::{device::DeviceError, tape::op::Reduce};

/// Most terms that one invocation adds up: well under the trips it may make, fetches included.
const LONGEST: usize = 32_768;
/// Times the shortest worth splitting, a sum that is split for the sake of small workgroups.
const LONG: usize = 4;
/// Partial results in all, in elements.
const PARTIALS: usize = 1 << 24;

/// Workgroups that would run without splits, and the invocations of each.
#[derive(Clone, Copy)]
pub(crate) struct Whole {
    pub workgroups: usize,
    pub invocations: usize,
}

/// Splits of a sum of `len` terms, none shorter than `shortest`, and the length of one, for a result of `out_len`
/// elements. Small workgroups leave a large GPU idle even where there are many, but only long sums pay for joining more.
pub(crate) fn split(whole: Whole, len: usize, shortest: usize, out_len: usize) -> (usize, usize) {
    let Whole { workgroups, invocations } = whole;
    let busy = |workgroups: usize| BUSY.div_ceil(workgroups.max(1));
    let filled = busy(workgroups * invocations / WORKGROUP).min(len / (LONG * shortest));
    let worthwhile = busy(workgroups).min(len / shortest).max(filled).min(PARTIALS / out_len.max(1));
    let splits = worthwhile.max(len.div_ceil(LONGEST)).max(1);
    let chunk = len.div_ceil(splits).max(1);
    (len.div_ceil(chunk).max(1), chunk)
}

/// The launch of a kernel that writes `(splits, out_len)`; where there are several splits, into the partial results,
/// and what sums them into the launch's result.
pub(crate) fn launches(
    splits: usize,
    out_len: usize,
    launch: Launch,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    if splits == 1 {
        return Ok(vec![launch]);
    }
    let partials = Slot::Partials(splits * out_len);
    let sum = map_reduce::join(Reduce::Sum, [out_len, splits], [1, out_len], partials, launch.write, style)?;
    Ok([Launch { write: partials, ..launch }].into_iter().chain(sum).collect())
}
