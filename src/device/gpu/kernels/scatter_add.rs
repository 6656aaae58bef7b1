//! Adjoint of `gather`, in pull form: every element of the table looks through the indices.

use super::{
    super::{
        launch::{Launch, Slot, fold},
        wgsl::{Values, Words},
    },
    Style, WORKGROUP,
    split::{self, Whole, split},
};
use crate::{device::DeviceError, plan::kernel::GatherKernel};

/// Fewest values that are worth a split.
const SHORTEST: usize = 64;
/// Rows are compared as floats.
const MOST_ROWS: usize = 1 << 24;

pub(crate) fn launches(
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
    let sizes = [("size", size), ("width", width), ("count", count), ("splits", splits), ("chunk", chunk)];
    let params = Values::of(sizes).set("fold", groups[0]);
    let launch = Launch::new("scatter_add", &Words::new(), &params, reads, write, groups)?;
    split::launches(splits, size, launch, style)
}
