//! Gradient of a convolution by its weights: rows are the outputs of a group, columns its weights' taps,
//! contracted over the output positions of the batch.

use super::{
    super::{
        launch::{Launch, Slot},
        wgsl::Words,
    },
    Style, conv, depthwise,
    tile::Extent,
    tiling::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel};

/// Share of a tile that must be wanted for tiles to pay.
const WORTHWHILE: f64 = 1.0 / 16.0;

pub(crate) fn launches(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    if depthwise::fits_weight(kernel) {
        return depthwise::grad_weight(kernel, reads, write);
    }
    let spec = &kernel.spec;
    let lens = [spec.input_len(), spec.output_len(), spec.weight_len()];
    let whole = own_extent(kernel);
    let (size, k) = ([whole.m, whole.n], whole.k);
    if extent(kernel).is_none() {
        let tiling = Tiling::one_result_each(k, whole.out_len, style)?;
        let params = conv::params(kernel, k, lens, tiling.grid(size));
        return tiling.finished("conv2d_grad_weight_direct", &Words::new(), &params, reads, write);
    }
    let tiling = Tiling::new(&whole, style, true)?;
    let words = Words::new().set("PADDED", conv::padded(spec));
    let params = conv::params(kernel, k, lens, tiling.grid(size));
    tiling.launches("conv2d_grad_weight", words, tiling.loads(), &params, reads, write)
}

/// What the tiles cover; none where they would be nearly empty.
pub(crate) fn extent(kernel: &ConvKernel) -> Option<Extent> {
    let extent = own_extent(kernel);
    let pays = !kernel.spec.is_depthwise() && Tiling::utilisation(&extent) >= WORTHWHILE;
    pays.then_some(extent)
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
