//! Batched product of strided matrices: tiled, or a reduction where one side is a vector.

use super::{
    super::{
        launch::{Launch, Slot},
        wgsl::{Values, Words},
    },
    Style, map_reduce,
    operand::Operand,
    tile::Extent,
    tiling::Tiling,
};
use crate::{
    device::DeviceError,
    plan::kernel::{Instr, Leaf, MapReduceKernel, MatmulKernel, MatrixView, Program, Source, View},
    tape::op::{Binary, Reduce},
};

pub(crate) fn launches(
    kernel: &MatmulKernel,
    reads: Vec<Slot>,
    write: Slot,
    style: &Style,
) -> Result<Vec<Launch>, DeviceError> {
    let &MatmulKernel { m, n, k, a, b, .. } = kernel;
    let Some(extent) = extent(kernel) else {
        return as_reduction(kernel, reads, write, style);
    };
    let tiling = Tiling::new(&extent, style, true)?;
    let operand_a =
        Operand { name: 'A', limit: m, k, along: a.col, across: a.row, bases: [a.offset, a.trial] };
    let operand_b =
        Operand { name: 'B', limit: n, k, along: b.row, across: b.col, bases: [b.offset, b.trial] };
    let (words, loads_a) = operand_a.choose(Words::new(), tiling.tile);
    let (words, loads_b) = operand_b.choose(words, tiling.tile);
    let matrix = |view: &MatrixView, along, across| {
        Values::of([("offset", view.offset), ("trial", view.trial), ("k", along), ("across", across)])
    };
    let params = Values::of([("k", k), ("split_len", extent.out_len)])
        .and(tiling.grid([m, n]).within("grid"))
        .and(matrix(&a, a.col, a.row).within("a"))
        .and(matrix(&b, b.row, b.col).within("b"));
    tiling.launches("matmul", words, [loads_a, loads_b], &params, reads, write)
}

/// What the tiles cover; none where there is nothing to tile.
pub(crate) fn extent(&MatmulKernel { trials, m, n, k, .. }: &MatmulKernel) -> Option<Extent> {
    let tiled = m > 1 && n > 1 && k > 4;
    tiled.then_some(Extent { m, n, k, batch: trials, out_len: trials * m * n })
}

/// Matrix times vector and outer products have nothing to tile: `Σ_k a·b` over `(T,M,N,K)`.
fn as_reduction(
    kernel: &MatmulKernel,
    mut reads: Vec<Slot>,
    write: Slot,
    style: &Style,
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
    let kernel = MapReduceKernel { dims, outer: 3, reduce: Reduce::Sum, program };
    map_reduce::launches(&kernel, reads, write, style)
}
