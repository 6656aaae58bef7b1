//! Rows of a table by index, one element an invocation.

use super::super::launch::{Launch, Slot, fold, words};
use crate::{device::DeviceError, plan::kernel::GatherKernel};

const SHADER: &str = include_str!("../../../../shaders/gather.wgsl");

pub fn launches(
    &GatherKernel { rows, width, count }: &GatherKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let size = count * width;
    let groups = fold(size.div_ceil(256))?;
    let params = words([size, groups[0] as usize, rows, width])?;
    Ok(vec![Launch {
        kernel: "gather",
        variant: String::new(),
        source: SHADER.into(),
        params,
        reads,
        write,
        groups,
    }])
}
