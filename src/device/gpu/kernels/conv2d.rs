//! Convolution: rows are the outputs of a group, columns the output positions of the batch.

use super::{
    super::{
        launch::{Launch, Slot},
        wgsl::Words,
    },
    Style, conv, depthwise,
    operand::Operand,
    tile::Extent,
    tiling::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel};

pub(crate) fn launches(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    if depthwise::fits(kernel) {
        return depthwise::forward(kernel, reads, write);
    }
    let spec = &kernel.spec;
    let extent = whole(kernel);
    let tiling = Tiling::new(&extent, style, true)?;
    let k = extent.k;
    let weights =
        Operand { name: 'A', limit: extent.m, k, along: 1, across: k, bases: [0, spec.weight_len()] };
    let [_, out_width] = spec.output_size();
    let words = Words::new().set("PADDED", conv::padded(spec)).set("ALIGNED", out_width.is_multiple_of(4));
    let (words, loads_a) = weights.choose(words, tiling.tile);
    let [_, loads_b] = tiling.loads();
    let lens = [spec.input_len(), spec.weight_len(), spec.output_len()];
    let params = conv::params(kernel, k, lens, tiling.grid([extent.m, extent.n]));
    tiling.launches("conv2d", words, [loads_a, loads_b], &params, reads, write)
}

/// What the tiles cover; none where there are no tiles.
pub(crate) fn extent(kernel: &ConvKernel) -> Option<Extent> {
    (!depthwise::fits(kernel)).then(|| whole(kernel))
}

fn whole(kernel: &ConvKernel) -> Extent {
    let spec = &kernel.spec;
    let [oh, ow] = spec.output_size();
    Extent {
        m: spec.outputs / spec.groups,
        n: spec.batch * oh * ow,
        k: spec.patch_len(),
        batch: kernel.trials * spec.groups,
        out_len: kernel.trials * spec.output_len(),
    }
}
