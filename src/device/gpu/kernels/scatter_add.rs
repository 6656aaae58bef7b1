//! Adjoint of `gather`, in pull form: every element of the table looks through the indices.

use super::{
    super::launch::{Launch, Slot, fold, words},
    Style, WORKGROUP,
    split::{self, Whole, split},
};
use crate::{device::DeviceError, plan::kernel::GatherKernel};

const SHADER: &str = include_str!("../../../../shaders/scatter_add.wgsl");

/// Fewest values that are worth a split.
const SHORTEST: usize = 64;
/// Rows are compared as floats.
const MOST_ROWS: usize = 1 << 24;

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
    let (splits, chunk) =
        split(Whole { workgroups: size.div_ceil(WORKGROUP), invocations: WORKGROUP }, count, SHORTEST, size);
    let groups = fold((size * splits).div_ceil(WORKGROUP))?;
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
    split::launches(splits, size, write, style, launch)
}
