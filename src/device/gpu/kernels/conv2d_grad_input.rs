//! Gradient of a convolution by its input: rows are the channels of a group, columns the input positions
//! of one residue class modulo the stride, contracted over outputs and the taps that the class meets.

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

pub(crate) fn launches(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    if depthwise::fits(kernel) {
        return depthwise::grad_input(kernel, reads, write);
    }
    let spec = &kernel.spec;
    let extent = whole(kernel);
    let tiling = Tiling::new(&extent, style, conv::classes(spec) == [1, 1])?;
    // The columns of every class are whole vec4s.
    let aligned = spec.size[1].is_multiple_of(4 * spec.stride[1]);
    let words = Words::new().set("ALIGNED", aligned);
    let lens = [spec.output_len(), spec.weight_len(), spec.input_len()];
    let size = [extent.m, spec.batch * spec.size[0] * spec.size[1]];
    let params = conv::params(kernel, extent.k, lens, tiling.grid(size));
    tiling.launches("conv2d_grad_input", words, tiling.loads(), &params, reads, write)
}

/// What the tiles cover; none where there are no tiles.
pub(crate) fn extent(kernel: &ConvKernel) -> Option<Extent> {
    (!depthwise::fits(kernel)).then(|| whole(kernel))
}

/// The first class has the most positions and no class more taps.
fn whole(kernel: &ConvKernel) -> Extent {
    let spec = &kernel.spec;
    let classes = conv::classes(spec);
    let step = conv::tap_step(spec);
    let [rows, cols] = [0, 1].map(|d| spec.size[d].div_ceil(spec.stride[d]));
    let [taps_h, taps_w] = [0, 1].map(|d| spec.kernel[d].div_ceil(step[d]));
    Extent {
        m: spec.channels / spec.groups,
        n: spec.batch * rows * cols,
        k: spec.outputs / spec.groups * taps_h * taps_w,
        batch: kernel.trials * spec.groups * classes[0] * classes[1],
        out_len: kernel.trials * spec.input_len(),
    }
}
