//! A fused pointwise expression, one element an invocation.

use super::{
    super::launch::{Launch, Slot, fold},
    expression::Expression,
};
use crate::{device::DeviceError, plan::kernel::MapKernel};

pub(crate) fn launches(
    kernel: &MapKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let expression = Expression::new(&kernel.dims, kernel.dims.len(), &kernel.program);
    let size: usize = kernel.dims.iter().product();
    let groups = fold(size.div_ceil(256))?;
    let words = expression.words(reads.len(), ["i", "i"], ["    ", "    "]);
    let params = expression.params().set("size", size).set("fold", groups[0]);
    Ok(vec![Launch::new("map", &words, &params, reads, write, groups)?])
}
