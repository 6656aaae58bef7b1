//! What the three convolutions share: the parameters of `parts/conv.wgsl`.

use super::super::wgsl::Values;
use crate::{plan::kernel::ConvKernel, tape::spec::ConvSpec};

/// The shader's `Params`: the contracted length, the elements of the two operands and of the result for one
/// trial, and the grid.
pub(crate) fn params(
    &ConvKernel { spec, trials, shared }: &ConvKernel,
    k: usize,
    [first, second, out_len]: [usize; 3],
    grid: Values,
) -> Values {
    let ConvSpec { channels, outputs, size, kernel, stride, padding, dilation, groups, .. } = spec;
    let output = spec.output_size();
    let classes = classes(&spec);
    let step = tap_step(&spec);
    let reach = [0, 1].map(|d| dilation[d] * step[d] / stride[d]);
    let axes = |names: [&str; 2], values: [usize; 2]| Values::of([0, 1].map(|d| (names[d], values[d])));
    Values::of([
        ("k", k),
        ("out_len", out_len),
        ("split_len", trials * out_len),
        ("first_trial", if shared[0] { 0 } else { first }),
        ("second_trial", if shared[1] { 0 } else { second }),
        ("groups", groups),
        ("channels", channels),
        ("outputs", outputs),
        ("group_channels", channels / groups),
        ("group_outputs", outputs / groups),
    ])
    .and(grid.within("grid"))
    .and(axes(["height", "width"], size))
    .and(axes(["out_height", "out_width"], output))
    .and(axes(["kernel_h", "kernel_w"], kernel))
    .and(axes(["stride_h", "stride_w"], stride))
    .and(axes(["padding_h", "padding_w"], padding))
    .and(axes(["dilation_h", "dilation_w"], dilation))
    .and(axes(["classes_h", "classes_w"], classes))
    .and(axes(["tap_step_h", "tap_step_w"], step))
    .and(axes(["reach_h", "reach_w"], reach))
}

/// The shader's constant of whether a tap can lie outside the picture.
pub(crate) fn padded(spec: &ConvSpec) -> bool {
    spec.padding != [0, 0]
}

/// Residue classes of input positions modulo the stride, on each axis: all inputs of a class meet the same taps.
pub(crate) fn classes(spec: &ConvSpec) -> [usize; 2] {
    [0, 1].map(|d| spec.stride[d].min(spec.size[d]))
}

/// Distance of the taps that one input meets, on each axis: `stride / gcd(stride, dilation)`.
pub(crate) fn tap_step(spec: &ConvSpec) -> [usize; 2] {
    fn gcd(a: usize, b: usize) -> usize {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    [0, 1].map(|d| spec.stride[d] / gcd(spec.stride[d], spec.dilation[d]))
}
