//! Position of the largest element in each window.

use super::{
    super::launch::{Launch, Slot},
    window::{self, Side},
};
use crate::{device::DeviceError, plan::kernel::WindowKernel};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/window_argmax.wgsl"),
    include_str!("../../../../shaders/parts/window.wgsl"),
    include_str!("../../../../shaders/parts/numeric.wgsl")
);

pub fn launches(kernel: &WindowKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    window::launches("window_argmax", SHADER.into(), Side::Output, kernel, reads, write)
}
