//! What the pooling kernels share: the parameters of `parts/window.wgsl`, one invocation per result.

use super::super::launch::{Launch, Slot, fold, words};
use crate::{
    device::DeviceError,
    plan::kernel::{MAX_TRIPS, WindowKernel},
    tape::spec::WindowSpec,
};

/// Which of the two tensors is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `(P,H,W)`
    Input,
    /// `(P,I,J)`
    Output,
}

pub fn launches(
    kernel: &'static str,
    source: String,
    side: Side,
    &WindowKernel { spec, planes }: &WindowKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let WindowSpec { size: [h, w], kernel: [kh, kw], stride, padding } = spec;
    let [oh, ow] = spec.output_size();
    if kh * (kw + 1) > MAX_TRIPS {
        return Err(DeviceError::Failed(format!("a window of {kh} × {kw} is too large for one invocation")));
    }
    let size = planes * if side == Side::Input { h * w } else { oh * ow };
    let groups = fold(size.div_ceil(256))?;
    let sizes =
        [size, groups[0] as usize, h, w, oh, ow, kh, kw, stride[0], stride[1], padding[0], padding[1]];
    let params = words(sizes)?;
    Ok(vec![Launch { kernel, variant: String::new(), source, params, reads, write, groups }])
}
