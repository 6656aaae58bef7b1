//! Sum over each window.

use super::{
    super::launch::{Launch, Slot},
    window::{self, Side},
};
use crate::{device::DeviceError, plan::kernel::WindowKernel};

pub(crate) fn launches(
    kernel: &WindowKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    window::launches("window_sum", Side::Output, kernel, reads, write)
}
