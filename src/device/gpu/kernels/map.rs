//! A fused pointwise expression, one element an invocation.

use super::{
    super::launch::{Launch, Slot, fold, word},
    expression::Expression,
    text,
};
use crate::{device::DeviceError, plan::kernel::MapKernel};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/map.wgsl"),
    include_str!("../../../../shaders/parts/numeric.wgsl")
);

pub fn launches(kernel: &MapKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    let expression = Expression::new(&kernel.dims, kernel.dims.len(), &kernel.program);
    let size: usize = kernel.dims.iter().product();
    let groups = fold(size.div_ceil(256))?;
    let source = text::fill(
        SHADER,
        &[
            ("FIELDS", &expression.field_text()),
            ("READS", &Expression::read_text(reads.len())),
            ("RESULT", &(reads.len() + 1).to_string()),
            ("PREPARE", &expression.prepare("i", "    ")),
            ("EVALUATE", &expression.evaluate("i", "    ")),
            ("VALUE", &expression.value()),
        ],
    );
    let params = [word(size)?, groups[0]].into_iter().chain(expression.field_values()).collect();
    Ok(vec![Launch { kernel: "map", variant: String::new(), source, params, reads, write, groups }])
}
