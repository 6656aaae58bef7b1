//! Fused expressions over index spaces of every kind of view.

use gia_gpu::{
    plan::kernel::{Instr, Kernel, Leaf, MapKernel, MapReduceKernel, Program, Source, View},
    tape::op::{Binary, Reduce, Unary},
};

use super::{Case, Operand};

/// A view of a tensor of shape `shape` over `dims` (equal, or 1 where broadcast), contiguous in memory.
fn broadcast(shape: &[usize], dims: &[usize]) -> View {
    let valid = dims.iter().map(|&n| [0, n]).collect();
    View { valid, ..View::contiguous(shape) }
}

/// Output axis `d` is axis `axes[d]` of a tensor stored row-major.
fn permuted(dims: &[usize], axes: &[usize]) -> View {
    let mut shape = vec![0; dims.len()];
    for (&axis, &n) in axes.iter().zip(dims) {
        shape[axis] = n;
    }
    let stored = View::contiguous(&shape);
    let strides = axes.iter().map(|&axis| stored.strides[axis]).collect();
    View { offset: 0, strides, valid: dims.iter().map(|&n| [0, n]).collect() }
}

/// Every axis reversed.
fn flipped(dims: &[usize]) -> View {
    let View { strides, valid, .. } = View::contiguous(dims);
    let offset = strides.iter().zip(dims).map(|(s, &n)| s * (n as isize - 1)).sum();
    View { offset, strides: strides.iter().map(|s| -s).collect(), valid }
}

/// A tensor with `before` and `after` zeros around every axis, over `dims`.
fn padded(dims: &[usize], before: usize, after: usize) -> View {
    let shape: Vec<_> = dims.iter().map(|n| n - before - after).collect();
    let strides = View::contiguous(&shape).strides;
    let offset = -strides.iter().sum::<isize>() * before as isize;
    View { offset, strides, valid: dims.iter().map(|&n| [before, n - after]).collect() }
}

fn volume(dims: &[usize]) -> usize {
    dims.iter().product()
}

fn read(read: usize, view: View) -> Leaf {
    Leaf { source: Source::Read(read), view }
}

/// `Σ leaf + Π leaf` of all leaves: grows with each one's magnitude.
pub(crate) fn polynomial(leaves: Vec<Leaf>) -> Program {
    let mut code: Vec<_> = (0..leaves.len()).map(Instr::Load).collect();
    let [mut sum, mut product] = [0, 0];
    for leaf in 1..leaves.len() {
        code.push(Instr::Binary(Binary::Add, sum, leaf));
        sum = code.len() - 1;
        code.push(Instr::Binary(Binary::Mul, product, leaf));
        product = code.len() - 1;
    }
    code.push(Instr::Binary(Binary::Add, sum, product));
    Program { leaves, code }
}

pub(crate) fn map(name: &str, dims: &[usize], program: Program, reads: Vec<usize>) -> Case {
    let in_place = program.leaves.iter().any(|leaf| leaf.source == Source::Output);
    Case {
        name: format!("map {name} over {dims:?}"),
        depth: program.code.len(),
        kernel: Kernel::Map(MapKernel { dims: dims.to_vec(), program }),
        reads: reads.into_iter().map(Operand::Random).collect(),
        out: volume(dims),
        in_place,
    }
}

/// Every leaf of `dims` at once: contiguous, permuted, flipped, padded, broadcast along each second axis,
/// a scalar, the mask of a padded region.
fn everything(dims: &[usize]) -> (Program, Vec<usize>) {
    let axes: Vec<_> = (0..dims.len()).rev().collect();
    let thin: Vec<_> = dims.iter().enumerate().map(|(d, &n)| if d % 2 == 0 { n } else { 1 }).collect();
    let [before, after] = if dims.iter().all(|&n| n > 2) { [1, 1] } else { [0, 0] };
    let inner: Vec<_> = dims.iter().map(|n| n - before - after).collect();
    let leaves = vec![
        read(0, View::contiguous(dims)),
        read(1, permuted(dims, &axes)),
        read(2, flipped(dims)),
        read(3, padded(dims, before, after)),
        read(4, broadcast(&thin, dims)),
        read(5, broadcast(&vec![1; dims.len()], dims)),
        Leaf { source: Source::Ones, view: padded(dims, before, after) },
    ];
    let n = volume(dims);
    (polynomial(leaves), vec![n, n, n, volume(&inner), volume(&thin), 1])
}

pub(crate) fn maps() -> Vec<Case> {
    let mut cases = Vec::new();
    for dims in
        [vec![], vec![1], vec![257], vec![7, 11], vec![3, 1, 5], vec![4, 3, 5, 6], vec![3, 5, 4, 3, 7, 3]]
    {
        let (program, reads) = everything(&dims);
        cases.push(map("of every view", &dims, program, reads));
        let copy = Program { leaves: vec![read(0, flipped(&dims))], code: vec![Instr::Load(0)] };
        cases.push(Case { depth: 0, ..map("reversing", &dims, copy, vec![volume(&dims)]) });
    }
    // x ← x·x + g, in place.
    let dims = [5, 77];
    let identity = View::contiguous(&dims);
    let own = Leaf { source: Source::Output, view: identity.clone() };
    let program = Program {
        leaves: vec![own, read(0, identity)],
        code: vec![
            Instr::Load(0),
            Instr::Load(1),
            Instr::Binary(Binary::Mul, 0, 0),
            Instr::Binary(Binary::Add, 2, 1),
        ],
    };
    cases.push(map("in place", &dims, program, vec![volume(&dims)]));
    // Zero and one elsewhere than asked: a view that is never valid, and one with an empty axis.
    let nowhere = View { valid: vec![[2, 2]], ..View::contiguous(&[4]) };
    let program = Program { leaves: vec![read(0, nowhere)], code: vec![Instr::Load(0)] };
    cases.push(map("never valid", &[4], program, vec![4]));
    let (program, reads) = everything(&[3, 0]);
    cases.push(map("of nothing", &[3, 0], program, reads));
    cases
}

/// More workgroups than one dimension of a dispatch takes.
pub(crate) fn wide_map() -> Case {
    let dims = [4099, 4099];
    let mask = View { valid: vec![[0, 4098], [5, 4099]], ..View::contiguous(&dims) };
    let leaves = vec![
        Leaf { source: Source::Ones, view: mask },
        read(0, broadcast(&[1, 4099], &dims)),
        read(1, broadcast(&[4099, 1], &dims)),
    ];
    map("of many workgroups", &dims, polynomial(leaves), vec![4099, 4099])
}

pub(crate) fn map_reduce(
    dims: &[usize],
    outer: usize,
    reduce: Reduce,
    program: Program,
    reads: Vec<usize>,
) -> Case {
    let length = volume(&dims[outer..]);
    Case {
        name: format!("{reduce:?} over {:?} for each of {:?}", &dims[outer..], &dims[..outer]),
        depth: program.code.len() * length,
        kernel: Kernel::MapReduce(MapReduceKernel { dims: dims.to_vec(), outer, reduce, program }),
        reads: reads.into_iter().map(Operand::Random).collect(),
        out: volume(&dims[..outer]),
        in_place: false,
    }
}

pub(crate) fn map_reduces() -> Vec<Case> {
    let mut cases = Vec::new();
    for (dims, outer) in [
        (vec![], 0),
        (vec![1, 1], 1),
        (vec![7, 5], 1),
        (vec![300, 3], 1),
        (vec![3, 4, 5, 6], 2),
        (vec![3, 4, 5, 6], 0),
        (vec![5, 0], 1),
    ] {
        let (program, reads) = everything(&dims);
        cases.push(map_reduce(&dims, outer, Reduce::Sum, program, reads));
    }
    // Along rows and along columns of matrices (kept, reduced) of all proportions.
    for [kept, reduced] in
        [[2, 300_007], [300_007, 2], [37, 5_003], [5_003, 37], [1_000, 1_000], [70, 70_003]]
    {
        for transposed in [false, true] {
            let dims = [kept, reduced];
            let view = if transposed { permuted(&dims, &[1, 0]) } else { View::contiguous(&dims) };
            let length = volume(&dims);
            let leaves = vec![read(0, view), read(1, broadcast(&[1, reduced], &dims))];
            let program = polynomial(leaves);
            cases.push(map_reduce(&dims, 1, Reduce::Sum, program, vec![length, reduced]));
        }
    }
    for dims in [[1, 1], [9, 77], [2, 100_003], [1_001, 130]] {
        for view in [View::contiguous(&dims), permuted(&dims, &[1, 0])] {
            let program = Program { leaves: vec![read(0, view)], code: vec![Instr::Load(0)] };
            let case = map_reduce(&dims, 1, Reduce::Max, program, vec![volume(&dims)]);
            cases.push(Case { depth: 0, ..case });
        }
    }
    cases
}

/// Maps that use every instruction, for their text alone.
pub(crate) fn every_instruction() -> Vec<Case> {
    use Unary::*;
    let unary = [Neg, Exp, Log, Sqrt, Rsqrt, Tanh, Sigmoid, Erf, Abs, Powi(0), Powi(-3), Powi(6), Step, Sign];
    let binary = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Max,
        Binary::Min,
        Binary::Less,
        Binary::Equal,
    ];
    let mut code = vec![Instr::Load(0), Instr::Const(f64::NAN), Instr::Const(-1.5e-39)];
    for op in unary {
        code.push(Instr::Unary(op, code.len() - 1));
    }
    for op in binary {
        code.push(Instr::Binary(op, code.len() - 1, 1));
    }
    code.push(Instr::Select(0, 1, code.len() - 1));
    let program = Program { leaves: vec![read(0, View::contiguous(&[5]))], code };
    vec![map("of every instruction", &[5], program, vec![5])]
}
