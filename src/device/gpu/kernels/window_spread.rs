//! Adjoint of `window_sum`, in pull form.

use super::{
    super::launch::{Launch, Slot},
    window::{self, Side},
};
use crate::{device::DeviceError, plan::kernel::WindowKernel};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/window_spread.wgsl"),
    include_str!("../../../../shaders/parts/window.wgsl")
);

pub fn launches(kernel: &WindowKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    window::launches("window_spread", SHADER.into(), Side::Input, kernel, reads, write)
}
