//! Rows of a table by index, one element an invocation.

use super::super::{
    launch::{Launch, Slot, fold},
    wgsl::{Values, Words},
};
use crate::{device::DeviceError, plan::kernel::GatherKernel};

pub(crate) fn launches(
    &GatherKernel { rows, width, count }: &GatherKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let size = count * width;
    let groups = fold(size.div_ceil(256))?;
    let params = Values::of([("size", size), ("rows", rows), ("width", width)]).set("fold", groups[0]);
    Ok(vec![Launch::new("gather", &Words::new(), &params, reads, write, groups)?])
}
