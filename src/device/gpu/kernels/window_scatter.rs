//! Adjoint of `window_gather`, in pull form.

use super::{
    super::launch::{Launch, Slot},
    window::{self, Side},
};
use crate::{device::DeviceError, plan::kernel::WindowKernel};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/window_scatter.wgsl"),
    include_str!("../../../../shaders/parts/window.wgsl")
);

pub fn launches(kernel: &WindowKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    window::launches("window_scatter", SHADER.into(), Side::Input, kernel, reads, write)
}
