//! Convolution: rows are the outputs of a group, columns the output positions of the batch.

use super::{
    super::launch::{Launch, Slot},
    Style,
    conv::{self, Product},
    matmul,
    operand::Operand,
    text,
    tile::Extent,
    tiling::Tiling,
};
use crate::{
    device::DeviceError,
    plan::kernel::{ConvKernel, MatmulKernel, MatrixView},
};

const SHADER: &str = include_str!("../../../../shaders/conv2d.wgsl");

pub fn launches(
    kernel: &ConvKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    if let Some(product) = as_matmul(kernel) {
        return matmul::launches(&product, vec![reads[1], reads[0]], write, style);
    }
    let spec = &kernel.spec;
    let extent = own_extent(kernel);
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
pub fn extent(kernel: &ConvKernel) -> Option<Extent> {
    as_matmul(kernel).map_or_else(|| Some(own_extent(kernel)), |product| matmul::extent(&product))
}

fn own_extent(kernel: &ConvKernel) -> Extent {
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

/// A convolution of large pictures by single taps is a product for each picture: w (O,C) · x (C,H·W).
fn as_matmul(kernel: &ConvKernel) -> Option<MatmulKernel> {
    let [trial_w, trial_x] = conv::pointwise(kernel, [kernel.shared[1], kernel.shared[0]])?;
    let spec = &kernel.spec;
    let (area, c, o) = (spec.size[0] * spec.size[1], spec.channels, spec.outputs);
    Some(MatmulKernel {
        trials: kernel.trials * spec.batch,
        m: o,
        n: area,
        k: c,
        a: MatrixView { offset: 0, trial: trial_w * o * c, row: c, col: 1 },
        b: MatrixView { offset: 0, trial: trial_x * c * area, row: area, col: 1 },
    })
}
