//! Builds the program of one fused kernel: from a root, through pointwise and shape operations, down
//! to stored tensors.

use std::collections::{BTreeSet, HashMap};

use super::{
    access::{Access, Coordinate, Obstacle},
    kernel::{Instr, Leaf, MAX_MAP_READS, Program, Source, View},
};
use crate::tape::{Tape, Var, op::Op};

/// Longest program of one kernel; a larger expression is cut.
pub(crate) const MAX_CODE: usize = 96;

/// The program of a kernel and the index space it runs over.
pub(crate) struct Fused {
    pub dims: Vec<usize>,
    /// How many leading dims are kept by a reduction (all of them in a map).
    pub outer: usize,
    pub program: Program,
    /// The stored tensors behind [`Source::Read`].
    pub reads: Vec<Var>,
}

/// Fuses everything between `root` and stored tensors. `kept` and `reduced` are the axes of `root`'s
/// shape in the order of the index space. A stored `root` is loaded if `load_root`, else computed.
///
/// # Errors
/// A tensor that must be stored before this kernel can be built.
pub(crate) fn fuse(
    tape: &Tape,
    stored: &[bool],
    root: Var,
    load_root: bool,
    kept: &[usize],
    reduced: &[usize],
) -> Result<Fused, Var> {
    let shape = tape.shape(root);
    let axes: Vec<usize> = kept.iter().chain(reduced).copied().collect();
    // Each axis of the root as a product of dims of the index space.
    let mut factors: Vec<Vec<usize>> =
        axes.iter().map(|&a| if shape[a] == 1 { vec![] } else { vec![shape[a]] }).collect();
    loop {
        let dims: Vec<usize> = factors.concat();
        let outer = factors[..kept.len()].iter().map(Vec::len).sum();
        let mut builder = Builder {
            tape,
            stored,
            dims: &dims,
            root: (!load_root).then_some(root),
            program: Program { leaves: vec![], code: vec![] },
            reads: vec![],
            known: HashMap::new(),
        };
        let access = identity(&factors, &axes, &dims);
        match builder.value(root, access) {
            Ok(_) if builder.reads.len() > MAX_MAP_READS || builder.program.code.len() > MAX_CODE => {
                return Err(cut(tape, stored, root));
            }
            Ok(_) => {
                let Builder { program, reads, .. } = builder;
                let mut fused = Fused { dims, outer, program, reads };
                fused.coalesce();
                return Ok(fused);
            }
            Err(Stop::Store(var)) => return Err(var),
            Err(Stop::Split { dim, inner }) => split(&mut factors, dim, inner),
        }
    }
}

/// The root's own coordinates.
fn identity(factors: &[Vec<usize>], axes: &[usize], dims: &[usize]) -> Access {
    let mut coordinates = vec![Coordinate { offset: 0, terms: vec![] }; axes.len()];
    let mut dim = 0;
    for (parts, &axis) in factors.iter().zip(axes) {
        let mut factor = parts.iter().product::<usize>() as isize;
        for &n in parts {
            factor /= n as isize;
            coordinates[axis].terms.push((dim, factor));
            dim += 1;
        }
    }
    Access { coordinates, valid: dims.iter().map(|&n| [0, n]).collect() }
}

fn split(factors: &mut [Vec<usize>], dim: usize, inner: usize) {
    let mut first = 0;
    for parts in factors {
        if dim < first + parts.len() {
            let n = parts[dim - first];
            parts.splice(dim - first..=dim - first, [n / inner, inner]);
            return;
        }
        first += parts.len();
    }
}

enum Stop {
    Split { dim: usize, inner: usize },
    Store(Var),
}

struct Builder<'a> {
    tape: &'a Tape,
    stored: &'a [bool],
    /// Of the index space.
    dims: &'a [usize],
    /// Computed here although it is stored.
    root: Option<Var>,
    program: Program,
    reads: Vec<Var>,
    known: HashMap<(Var, Access), usize>,
}

impl Builder<'_> {
    fn value(&mut self, v: Var, access: Access) -> Result<usize, Stop> {
        let key = (v, access);
        if let Some(&i) = self.known.get(&key) {
            return Ok(i);
        }
        let access = &key.1;
        let node = self.tape.node(v);
        let value = if self.stored[v.index()] && self.root != Some(v) {
            self.load(v, access.view(&node.shape))
        } else {
            match &node.op {
                Op::Scalar(c) => self.push(Instr::Const(c.0)),
                Op::Unary(f) => {
                    let a = self.value(node.inputs[0], access.clone())?;
                    self.push(Instr::Unary(*f, a))
                }
                Op::Binary(f) => {
                    let a = self.value(node.inputs[0], access.clone())?;
                    let b = self.value(node.inputs[1], access.clone())?;
                    self.push(Instr::Binary(*f, a, b))
                }
                Op::Select => {
                    let m = self.value(node.inputs[0], access.clone())?;
                    let a = self.value(node.inputs[1], access.clone())?;
                    let b = self.value(node.inputs[2], access.clone())?;
                    self.push(Instr::Select(m, a, b))
                }
                Op::Reshape if self.stored[node.inputs[0].index()] => {
                    self.load(node.inputs[0], access.view(&node.shape))
                }
                shape_op => self.through(v, shape_op, access)?,
            }
        };
        self.known.insert(key, value);
        Ok(value)
    }

    fn through(&mut self, v: Var, op: &Op, access: &Access) -> Result<usize, Stop> {
        let node = self.tape.node(v);
        let (x, from) = (node.inputs[0], self.tape.shape(node.inputs[0]));
        let inner = access.through(op, from, &node.shape).map_err(|obstacle| match obstacle {
            Obstacle::Split { dim, inner } if self.dims[dim].is_multiple_of(inner) => {
                Stop::Split { dim, inner }
            }
            // A root is what is being stored: then the split that it cannot pass came from its operand.
            Obstacle::Opaque if matches!(op, Op::Pad(_)) && self.root != Some(v) => Stop::Store(v),
            Obstacle::Split { .. } | Obstacle::Opaque => Stop::Store(x),
        })?;
        let padded = inner.valid != access.valid;
        let mask = View { offset: 0, strides: vec![0; inner.valid.len()], valid: inner.valid.clone() };
        let value = self.value(x, inner)?;
        // A load reads zeros outside its bounds; a computed value must be masked.
        if !padded || matches!(self.program.code[value], Instr::Load(_)) {
            return Ok(value);
        }
        let mask = self.leaf(Source::Ones, mask);
        let zero = self.push(Instr::Const(0.0));
        Ok(self.push(Instr::Select(mask, value, zero)))
    }

    fn load(&mut self, v: Var, view: View) -> usize {
        let read = self.reads.iter().position(|&r| r == v).unwrap_or_else(|| {
            self.reads.push(v);
            self.reads.len() - 1
        });
        self.leaf(Source::Read(read), view)
    }

    fn leaf(&mut self, source: Source, view: View) -> usize {
        let leaf = Leaf { source, view };
        let index = self.program.leaves.iter().position(|l| *l == leaf).unwrap_or_else(|| {
            self.program.leaves.push(leaf);
            self.program.leaves.len() - 1
        });
        self.push(Instr::Load(index))
    }

    fn push(&mut self, instr: Instr) -> usize {
        if let Some(i) = self.program.code.iter().position(|i| *i == instr) {
            return i;
        }
        self.program.code.push(instr);
        self.program.code.len() - 1
    }
}

/// Where to cut an expression that reads too many tensors or is too long: the heaviest part that fits.
fn cut(tape: &Tape, stored: &[bool], root: Var) -> Var {
    let mut parts: HashMap<Var, (BTreeSet<Var>, usize)> = HashMap::new();
    weigh(tape, stored, root, true, &mut parts);
    let mut current = root;
    loop {
        let heaviest = tape
            .node(current)
            .inputs
            .iter()
            .filter(|v| !stored[v.index()])
            .max_by_key(|v| (parts[v].0.len(), parts[v].1))
            .copied()
            .expect("an expression too large for one kernel has a part that is not stored");
        let (leaves, ops) = &parts[&heaviest];
        if leaves.len() <= MAX_MAP_READS && *ops <= MAX_CODE / 2 {
            return heaviest;
        }
        current = heaviest;
    }
}

/// Stored tensors under `v` and operations in it (shared ones counted once per use, capped).
fn weigh(tape: &Tape, stored: &[bool], v: Var, root: bool, parts: &mut HashMap<Var, (BTreeSet<Var>, usize)>) {
    if parts.contains_key(&v) {
        return;
    }
    let mut sum = (BTreeSet::new(), 1);
    if stored[v.index()] && !root {
        sum.0.insert(v);
    } else {
        for &input in &tape.node(v).inputs {
            weigh(tape, stored, input, false, parts);
            let (leaves, ops) = &parts[&input];
            sum.0.extend(leaves);
            sum.1 = (sum.1 + ops).min(1 << 20);
        }
    }
    parts.insert(v, sum);
}

impl Fused {
    /// Merges neighbouring dims that every leaf walks as one.
    fn coalesce(&mut self) {
        let mut d = 0;
        while d + 1 < self.dims.len() {
            let n = self.dims[d + 1];
            let mergeable = d + 1 != self.outer
                && self.program.leaves.iter().all(|leaf| {
                    let v = &leaf.view;
                    v.strides[d] == v.strides[d + 1] * n as isize && v.valid[d + 1] == [0, n]
                });
            if !mergeable {
                d += 1;
                continue;
            }
            for leaf in &mut self.program.leaves {
                let v = &mut leaf.view;
                v.strides.remove(d);
                v.valid.remove(d + 1);
                v.valid[d] = v.valid[d].map(|bound| bound * n);
            }
            self.dims[d] *= n;
            self.dims.remove(d + 1);
            if d < self.outer {
                self.outer -= 1;
            }
        }
    }
}
