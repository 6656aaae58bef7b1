//! Convolution: rows are the outputs of a group, columns the output positions of the batch.

use super::{
    super::launch::{Launch, Slot},
    conv::Product,
    tile::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/conv2d.wgsl"),
    include_str!("../../../../shaders/parts/grid.wgsl"),
    include_str!("../../../../shaders/parts/tile.wgsl"),
    include_str!("../../../../shaders/parts/conv.wgsl")
);

pub fn launches(kernel: &ConvKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let [oh, ow] = spec.output_size();
    let size = [spec.outputs / spec.groups, spec.batch * oh * ow];
    let k = spec.patch_len();
    let lens = [spec.input_len(), spec.weight_len(), spec.output_len()];
    let batch = kernel.trials * spec.groups;
    let tiling = Tiling::new([size[0], size[1], k], batch, kernel.trials * lens[2])?;
    Product { kernel: "conv2d", shader: SHADER, tiling, size, k, lens }.launches(kernel, reads, write)
}
