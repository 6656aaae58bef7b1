//! Gradient of a convolution by its weights: rows are the outputs of a group, columns its weights' taps,
//! contracted over the output positions of the batch.

use super::{
    super::launch::{Launch, Slot},
    conv::Product,
    tile::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel};

const TILED: &str = concat!(
    include_str!("../../../../shaders/conv2d_grad_weight.wgsl"),
    include_str!("../../../../shaders/parts/grid.wgsl"),
    include_str!("../../../../shaders/parts/tile.wgsl"),
    include_str!("../../../../shaders/parts/conv.wgsl")
);
const DIRECT: &str = concat!(
    include_str!("../../../../shaders/conv2d_grad_weight_direct.wgsl"),
    include_str!("../../../../shaders/parts/grid.wgsl"),
    include_str!("../../../../shaders/parts/conv.wgsl")
);

/// Share of a tile that must be wanted for tiles to pay.
const WORTHWHILE: f64 = 1.0 / 16.0;

pub fn launches(kernel: &ConvKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let [oh, ow] = spec.output_size();
    let size = [spec.outputs / spec.groups, spec.patch_len()];
    let k = spec.batch * oh * ow;
    let lens = [spec.input_len(), spec.output_len(), spec.weight_len()];
    let out_len = kernel.trials * lens[2];
    let tiled = Tiling::new([size[0], size[1], k], kernel.trials * spec.groups, out_len)?;
    let product = if tiled.utilisation(size) < WORTHWHILE {
        let tiling = Tiling::one_result_each(k, out_len)?;
        Product { kernel: "conv2d_grad_weight_direct", shader: DIRECT, tiling, size, k, lens }
    } else {
        Product { kernel: "conv2d_grad_weight", shader: TILED, tiling: tiled, size, k, lens }
    };
    product.launches(kernel, reads, write)
}
