//! Batched product of strided matrices: tiled, or a reduction where one side is a vector.

use super::{
    super::launch::{Launch, Slot, fill, word},
    map_reduce,
    tile::Tiling,
};
use crate::{
    device::DeviceError,
    plan::kernel::{Instr, Leaf, MapReduceKernel, MatmulKernel, MatrixView, Program, Source, View},
    tape::op::{Binary, Reduce},
};

const SHADER: &str = concat!(
    include_str!("../../../../shaders/matmul.wgsl"),
    include_str!("../../../../shaders/parts/grid.wgsl"),
    include_str!("../../../../shaders/parts/tile.wgsl")
);

pub fn launches(kernel: &MatmulKernel, reads: Vec<Slot>, write: Slot) -> Result<Vec<Launch>, DeviceError> {
    let &MatmulKernel { trials, m, n, k, a, b } = kernel;
    if m == 1 || n == 1 || k <= 4 {
        return as_reduction(kernel, reads, write);
    }
    let out_len = trials * m * n;
    let tiling = Tiling::new([m, n, k], trials, out_len)?;
    let mut params = tiling.grid([m, n])?;
    params.extend(matrix(&a, [a.col, a.row])?);
    params.extend(matrix(&b, [b.row, b.col])?);
    params.extend([word(k)?, word(out_len)?]);
    let constants = tiling.constants();
    let source = fill(SHADER, &constants.each_ref().map(|(name, value)| (*name, value.as_str())));
    tiling.launches("matmul", source, params, reads, write)
}

/// The shader's `Matrix`, with the strides along the contraction and across it.
fn matrix(view: &MatrixView, [along, across]: [usize; 2]) -> Result<Vec<u32>, DeviceError> {
    let along_k = usize::from(along == 1 || (across != 1 && along <= across));
    [view.offset, view.trial, along, across, along_k, 0, 0, 0].into_iter().map(word).collect()
}

/// Matrix times vector and outer products have nothing to tile: `Σ_k a·b` over `(T,M,N,K)`.
fn as_reduction(
    kernel: &MatmulKernel,
    mut reads: Vec<Slot>,
    write: Slot,
) -> Result<Vec<Launch>, DeviceError> {
    let &MatmulKernel { trials, m, n, k, a, b } = kernel;
    let dims = vec![trials, m, n, k];
    let leaf = |read, offset: usize, strides: [usize; 4]| Leaf {
        source: Source::Read(read),
        view: View {
            offset: offset as isize,
            strides: strides.map(|s| s as isize).to_vec(),
            valid: dims.iter().map(|&n| [0, n]).collect(),
        },
    };
    // The operands of a reduction are distinct buffers.
    reads.dedup();
    let leaves = vec![
        leaf(0, a.offset, [a.trial, a.row, 0, a.col]),
        leaf(reads.len() - 1, b.offset, [b.trial, 0, b.col, b.row]),
    ];
    let code = vec![Instr::Load(0), Instr::Load(1), Instr::Binary(Binary::Mul, 0, 1)];
    let program = Program { leaves, code };
    map_reduce::launches(&MapReduceKernel { dims, outer: 3, reduce: Reduce::Sum, program }, reads, write)
}
