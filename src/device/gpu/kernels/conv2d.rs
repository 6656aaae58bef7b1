//! Convolution: rows are the outputs of a group, columns the output positions of the batch.

use super::{
    super::launch::{Launch, Slot},
    Style,
    conv::{self, Product},
    operand::Operand,
    text,
    tile::Extent,
    tiling::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel};

const SHADER: &str = include_str!("../../../../shaders/conv2d.wgsl");

pub fn launches(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    let spec = &kernel.spec;
    let extent = extent(kernel);
    let tiling = Tiling::new(&extent, style, true)?;
    let k = extent.k;
    let weights = Operand {
        name: 'a',
        binding: 2,
        limit: (extent.m, "p.grid.m"),
        k,
        along: (1, "1u"),
        across: (k, "p.k"),
        bases: [0, spec.weight_len()],
    };
    let (fetch, loads) = weights.text(tiling.tile);
    let [_, out_width] = spec.output_size();
    let own = [
        ("PADDED", conv::padded(spec)),
        ("ALIGNED", text::boolean(out_width.is_multiple_of(4))),
        ("LOADS_A", &loads),
    ];
    let source = tiling.text(SHADER, &[&fetch, conv::COUNTER, conv::PARAMS], &own);
    let lens = [spec.input_len(), spec.weight_len(), spec.output_len()];
    Product { kernel: "conv2d", source, tiling, size: [extent.m, extent.n], k, lens }
        .launches(kernel, reads, write)
}

/// What the tiles cover.
pub fn extent(kernel: &ConvKernel) -> Extent {
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
