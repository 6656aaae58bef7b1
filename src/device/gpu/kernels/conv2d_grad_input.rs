//! Gradient of a convolution by its input: rows are the channels of a group, columns the input positions
//! of one residue class modulo the stride, contracted over outputs and the taps that the class meets.

use super::{
    super::launch::{Launch, Slot},
    conv::{self, Product},
    tile::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/conv2d_grad_input.wgsl"),
    include_str!("../../../../shaders/parts/grid.wgsl"),
    include_str!("../../../../shaders/parts/tile.wgsl"),
    include_str!("../../../../shaders/parts/conv.wgsl")
);

pub fn launches(kernel: &ConvKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let classes = conv::classes(spec);
    let step = conv::tap_step(spec);
    // The first class has the most positions and no class more taps.
    let [rows, cols] = [0, 1].map(|d| spec.size[d].div_ceil(spec.stride[d]));
    let [taps_h, taps_w] = [0, 1].map(|d| spec.kernel[d].div_ceil(step[d]));
    let k = spec.outputs / spec.groups * taps_h * taps_w;
    let lens = [spec.output_len(), spec.weight_len(), spec.input_len()];
    let size = [spec.channels / spec.groups, spec.batch * spec.size[0] * spec.size[1]];
    let batch = kernel.trials * spec.groups * classes[0] * classes[1];
    let tiling = Tiling::new([size[0], spec.batch * rows * cols, k], batch, kernel.trials * lens[2])?;
    Product { kernel: "conv2d_grad_input", shader: SHADER, tiling, size, k, lens }
        .launches(kernel, reads, write)
}
