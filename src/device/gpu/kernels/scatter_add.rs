//! Adjoint of `gather`, in pull form: every element of the table looks through the indices.

use super::{
    super::launch::{Launch, Slot, fold, words},
    Style, map_reduce,
};
use crate::{device::DeviceError, plan::kernel::GatherKernel};

const SHADER: &str = include_str!("../../../../shaders/scatter_add.wgsl");

/// Values that one invocation looks through at most, well under the trips it may make.
const LONGEST: usize = 32_768;
/// Rows are compared as floats.
const MOST_ROWS: usize = 1 << 24;
/// Workgroups that keep a large GPU busy.
const BUSY: usize = 256;

pub fn launches(
    &GatherKernel { rows, width, count }: &GatherKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    if rows > MOST_ROWS {
        return Err(DeviceError::Failed(format!("{rows} rows are more than an f32 can tell apart")));
    }
    let size = rows * width;
    let worthwhile = BUSY.div_ceil(size.div_ceil(256).max(1)).min(count / 64);
    let splits = worthwhile.max(count.div_ceil(LONGEST)).max(1);
    let chunk = count.div_ceil(splits).max(1);
    let splits = count.div_ceil(chunk).max(1);
    let groups = fold((size * splits).div_ceil(256))?;
    let params = words([size, groups[0] as usize, width, count, splits, chunk])?;
    let launch = |write| Launch {
        kernel: "scatter_add",
        variant: String::new(),
        source: SHADER.into(),
        params,
        reads,
        write,
        groups,
    };
    if splits == 1 {
        return Ok(vec![launch(write)]);
    }
    let (partials, sum) = map_reduce::sum_partials(size, splits, write, style)?;
    Ok([launch(partials)].into_iter().chain(sum).collect())
}
