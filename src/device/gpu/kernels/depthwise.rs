//! Convolutions whose channels are groups of their own, and their gradients: tiles would be nearly empty, so every invocation
//! computes a few results alone.

use super::{
    super::{
        launch::{Launch, Slot, fold},
        wgsl::{Values, Words},
    },
    WORKGROUP, conv,
};
use crate::{
    device::DeviceError,
    plan::kernel::{ConvKernel, MAX_TRIPS},
};

/// Neighbouring results of an invocation.
const RUN: usize = 4;
/// Products of a weight's gradient that one invocation adds up.
const SHORT: usize = 256;

/// Whether the convolution and its gradient by x go this way.
pub(crate) fn fits(kernel: &ConvKernel) -> bool {
    let [u, v] = kernel.spec.kernel;
    kernel.spec.is_depthwise() && u * (v + 1) <= MAX_TRIPS
}

/// Whether the gradient by w does.
pub(crate) fn fits_weight(kernel: &ConvKernel) -> bool {
    kernel.spec.is_depthwise() && terms(kernel) <= SHORT
}

/// Products of a weight's gradient.
fn terms(kernel: &ConvKernel) -> usize {
    let [oh, ow] = kernel.spec.output_size();
    kernel.spec.batch * oh * ow
}

pub(crate) fn forward(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let lens = [spec.input_len(), spec.weight_len(), spec.output_len()];
    rows("conv2d_depthwise", kernel, lens, spec.output_size(), reads, write)
}

pub(crate) fn grad_input(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let lens = [spec.output_len(), spec.weight_len(), spec.input_len()];
    rows("conv2d_grad_input_depthwise", kernel, lens, spec.size, reads, write)
}

pub(crate) fn grad_weight(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let lens = [spec.input_len(), spec.output_len(), spec.weight_len()];
    let count = kernel.trials * spec.weight_len();
    launch("conv2d_grad_weight_depthwise", kernel, (terms(kernel), lens), count, &Words::new(), reads, write)
}

/// Runs of results in rows of `[_, width]`.
fn rows(
    name: &'static str,
    kernel: &ConvKernel,
    lens: [usize; 3],
    [height, width]: [usize; 2],
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let count = kernel.trials * spec.batch * spec.channels * height * width.div_ceil(RUN);
    let words = Words::new().set("UNIT", spec.stride[1] == 1 && spec.dilation[1] == 1);
    launch(name, kernel, (spec.patch_len(), lens), count, &words, reads, write)
}

/// `count` invocations.
fn launch(
    name: &'static str,
    kernel: &ConvKernel,
    (k, lens): (usize, [usize; 3]),
    count: usize,
    words: &Words,
    reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let groups = fold(count.div_ceil(WORKGROUP))?;
    let grid = [("groups", count), ("tiles_m", 1), ("tiles_n", 1), ("splits", 1), ("chunk", k), ("m", 1)];
    let grid = Values::of(grid).set("n", kernel.spec.batch).set("fold", groups[0]);
    let params = conv::params(kernel, k, lens, grid);
    Ok(vec![Launch::new(name, words, &params, reads, write, groups)?])
}
