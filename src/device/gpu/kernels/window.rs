//! What the pooling kernels share: the parameters of `parts/window.wgsl`, one invocation per result.

use super::super::{
    launch::{Launch, Slot, fold},
    wgsl::{Values, Words},
};
use crate::{
    device::DeviceError,
    plan::kernel::{MAX_TRIPS, WindowKernel},
    tape::spec::WindowSpec,
};

/// Which of the two tensors is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// `(P,H,W)`
    Input,
    /// `(P,I,J)`
    Output,
}

pub(crate) fn launches(
    kernel: &'static str,
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
    let params = Values::of([
        ("size", size),
        ("height", h),
        ("width", w),
        ("out_height", oh),
        ("out_width", ow),
        ("kernel_h", kh),
        ("kernel_w", kw),
        ("stride_h", stride[0]),
        ("stride_w", stride[1]),
        ("padding_h", padding[0]),
        ("padding_w", padding[1]),
    ]);
    let params = params.set("fold", groups[0]);
    Ok(vec![Launch::new(kernel, &Words::new(), &params, reads, write, groups)?])
}
