//! Gradient of a convolution by its weights: rows are the outputs of a group, columns its weights' taps,
//! contracted over the output positions of the batch.

use super::{
    super::launch::{Launch, Slot},
    Style,
    conv::{self, Product},
    text,
    tile::Extent,
    tiling::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel};

const TILED: &str = include_str!("../../../../shaders/conv2d_grad_weight.wgsl");
const DIRECT: &str = concat!(
    include_str!("../../../../shaders/conv2d_grad_weight_direct.wgsl"),
    include_str!("../../../../shaders/parts/grid.wgsl"),
    include_str!("../../../../shaders/parts/conv.wgsl"),
    include_str!("../../../../shaders/parts/join_tree.wgsl"),
    include_str!("../../../../shaders/parts/numeric.wgsl")
);

/// Share of a tile that must be wanted for tiles to pay.
const WORTHWHILE: f64 = 1.0 / 16.0;

pub fn launches(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let lens = [spec.input_len(), spec.output_len(), spec.weight_len()];
    let whole = own_extent(kernel);
    let (size, k) = ([whole.m, whole.n], whole.k);
    let product = if extent(kernel).is_none() {
        let tiling = Tiling::one_result_each(k, whole.out_len, style)?;
        let source = text::fill(DIRECT, &[("COMBINE", "sum")]);
        Product { kernel: "conv2d_grad_weight_direct", source, tiling, size, k, lens }
    } else {
        let tiling = Tiling::new(&whole, style, true)?;
        let source = tiling.text(TILED, &[conv::COUNTER, conv::PARAMS], &[("PADDED", conv::padded(spec))]);
        Product { kernel: "conv2d_grad_weight", source, tiling, size, k, lens }
    };
    product.launches(kernel, reads, write)
}

/// What the tiles cover; none where they would be nearly empty.
pub fn extent(kernel: &ConvKernel) -> Option<Extent> {
    let extent = own_extent(kernel);
    (Tiling::utilisation(&extent) >= WORTHWHILE).then_some(extent)
}

fn own_extent(kernel: &ConvKernel) -> Extent {
    let spec = &kernel.spec;
    let [oh, ow] = spec.output_size();
    Extent {
        m: spec.outputs / spec.groups,
        n: spec.patch_len(),
        k: spec.batch * oh * ow,
        batch: kernel.trials * spec.groups,
        out_len: kernel.trials * spec.weight_len(),
    }
}
