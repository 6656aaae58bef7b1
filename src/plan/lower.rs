//! From a simplified tape to steps: which tensors are stored, and which kernel computes each.

use super::{
    access::{Access, Coordinate},
    fuse::fuse,
    kernel::*,
    stored::choose_stored,
};
use crate::tape::{
    Tape, Var,
    op::Op,
    spec::{ConvSpec, WindowSpec},
};

/// A step over tensors instead of buffers.
pub(crate) struct TensorStep {
    pub kernel: Kernel,
    pub reads: Vec<Var>,
    pub write: Var,
}

/// Steps in execution order that compute every tensor in `required`.
pub(crate) fn lower(tape: &Tape, required: &[Var], fuse: bool) -> Vec<TensorStep> {
    let mut stored = choose_stored(tape, required);
    if !fuse {
        stored.iter_mut().zip(tape.nodes()).for_each(|(s, n)| *s |= !matches!(n.op, Op::Scalar(_)));
    }
    let mut needed = vec![false; tape.nodes().len()];
    required.iter().for_each(|v| needed[v.index()] = true);
    let mut steps = Vec::new();
    // Operands stand before their users, so one sweep from the end meets every request in time.
    for i in (0..tape.nodes().len()).rev() {
        let v = Var::from_index(i);
        if !needed[i] || matches!(tape.node(v).op, Op::Input | Op::Literal(_)) {
            continue;
        }
        let step = Lowering { tape, stored: &mut stored }.step(v);
        step.reads.iter().for_each(|r| needed[r.index()] = true);
        steps.push(step);
    }
    steps.reverse();
    steps
}

struct Lowering<'a> {
    tape: &'a Tape,
    stored: &'a mut Vec<bool>,
}

impl Lowering<'_> {
    fn step(&mut self, v: Var) -> TensorStep {
        let node = self.tape.node(v).clone();
        let trials = node.shape.first().copied().unwrap_or(1);
        let inputs = &node.inputs;
        let (kernel, reads) = match node.op {
            Op::Matmul => self.matmul(v),
            Op::Conv2d(spec) if inputs.len() == 4 => {
                let (kernel, reads) = self.conv_sum(spec, trials, inputs);
                (Kernel::Conv2dSum(kernel), reads)
            }
            Op::Conv2dGradInput(spec) if inputs.len() == 4 => {
                let (kernel, reads) = self.conv_sum(spec, trials, inputs);
                (Kernel::Conv2dGradInputSum(kernel), reads)
            }
            Op::Conv2d(spec) => {
                let (reads, shared) = self.conv_operands(inputs);
                (Kernel::Conv2d(ConvKernel { spec, trials, shared }), reads)
            }
            Op::Conv2dGradInput(spec) => {
                let (reads, shared) = self.conv_operands(inputs);
                (Kernel::Conv2dGradInput(ConvKernel { spec, trials, shared }), reads)
            }
            Op::Conv2dGradWeight(spec) => {
                let (reads, shared) = self.conv_operands(inputs);
                (Kernel::Conv2dGradWeight(ConvKernel { spec, trials, shared }), reads)
            }
            Op::WindowArgmax(spec) => (Kernel::WindowArgmax(self.window(spec, v)), self.plain(inputs)),
            Op::WindowGather(spec) => (Kernel::WindowGather(self.window(spec, v)), self.plain(inputs)),
            Op::WindowScatter(spec) => (Kernel::WindowScatter(self.window(spec, v)), self.plain(inputs)),
            Op::WindowSum(spec) => (Kernel::WindowSum(self.window(spec, v)), self.plain(inputs)),
            Op::WindowSpread(spec) => (Kernel::WindowSpread(self.window(spec, v)), self.plain(inputs)),
            Op::Gather => {
                let (table, count) = (self.tape.shape(inputs[0]), self.tape.shape(inputs[1])[0]);
                let kernel = GatherKernel { rows: table[0], width: table[1], count };
                (Kernel::Gather(kernel), self.plain(inputs))
            }
            Op::ScatterAdd => {
                let values = self.tape.shape(inputs[0]);
                let kernel = GatherKernel { rows: node.shape[0], width: node.shape[1], count: values[0] };
                (Kernel::ScatterAdd(kernel), self.plain(inputs))
            }
            Op::Reduce(reduce, ref axes) => {
                let x = inputs[0];
                let kept: Vec<_> = (0..node.shape.len()).filter(|d| !axes.contains(d)).collect();
                let fused = self.fused(x, true, &kept, axes);
                let (dims, outer, program) = (fused.dims, fused.outer, fused.program);
                (Kernel::MapReduce(MapReduceKernel { dims, outer, reduce, program }), fused.reads)
            }
            _ => {
                let axes: Vec<_> = (0..node.shape.len()).collect();
                let fused = self.fused(v, false, &axes, &[]);
                (Kernel::Map(MapKernel { dims: fused.dims, program: fused.program }), fused.reads)
            }
        };
        TensorStep { kernel, reads, write: v }
    }

    fn fused(&mut self, root: Var, load_root: bool, kept: &[usize], reduced: &[usize]) -> super::fuse::Fused {
        loop {
            match fuse(self.tape, self.stored, root, load_root, kept, reduced) {
                Ok(fused) => return fused,
                Err(var) => self.stored[var.index()] = true,
            }
        }
    }

    fn window(&self, spec: WindowSpec, v: Var) -> WindowKernel {
        let shape = self.tape.shape(v);
        WindowKernel { spec, planes: shape[..shape.len() - 2].iter().product() }
    }

    /// Operands that a kernel reads row-major: reshapes cost nothing, anything else is stored.
    fn plain(&mut self, inputs: &[Var]) -> Vec<Var> {
        inputs.iter().map(|&v| self.contiguous(v)).collect()
    }

    fn contiguous(&mut self, mut v: Var) -> Var {
        while !self.stored[v.index()] && self.tape.node(v).op == Op::Reshape {
            v = self.tape.node(v).inputs[0];
        }
        self.stored[v.index()] = true;
        v
    }

    /// Operands that may be stored once for all trials.
    fn conv_operands(&mut self, inputs: &[Var]) -> (Vec<Var>, [bool; 2]) {
        let mut shared = [false; 2];
        let mut reads = Vec::with_capacity(2);
        for (i, &v) in inputs.iter().enumerate() {
            let node = self.tape.node(v);
            let over_trials = node.op == Op::Broadcast && {
                let from = self.tape.shape(node.inputs[0]);
                from[0] == 1 && from[1..] == node.shape[1..]
            };
            shared[i] = over_trials && !self.stored[v.index()];
            reads.push(self.contiguous(if shared[i] { node.inputs[0] } else { v }));
        }
        (reads, shared)
    }

    /// Two pairs of operands.
    fn conv_sum(&mut self, spec: ConvSpec, trials: usize, inputs: &[Var]) -> (ConvSumKernel, Vec<Var>) {
        let (mut reads, first) = self.conv_operands(&inputs[..2]);
        let (more, second) = self.conv_operands(&inputs[2..]);
        reads.extend(more);
        (ConvSumKernel { spec, trials, shared: [first, second] }, reads)
    }

    fn matmul(&mut self, v: Var) -> (Kernel, Vec<Var>) {
        let node = self.tape.node(v).clone();
        let [trials, m, n] = node.shape[..] else { unreachable!("matmul makes (T,M,N)") };
        let k = self.tape.shape(node.inputs[0])[2];
        let (a, view_a) = self.matrix(node.inputs[0]);
        let (b, view_b) = self.matrix(node.inputs[1]);
        (Kernel::Matmul(MatmulKernel { trials, m, n, k, a: view_a, b: view_b }), vec![a, b])
    }

    /// The stored tensor behind a `(T,R,C)` operand and its strides; shape operations on the way are
    /// free as long as they stay strided.
    fn matrix(&mut self, v: Var) -> (Var, MatrixView) {
        let shape = self.tape.shape(v).to_vec();
        let coordinates = (0..3).map(|d| Coordinate { offset: 0, terms: vec![(d, 1)] }).collect();
        let mut access = Access { coordinates, valid: shape.iter().map(|&n| [0, n]).collect() };
        let mut current = v;
        while !self.stored[current.index()] {
            let node = self.tape.node(current);
            let reachable = match node.op {
                Op::Permute(_) | Op::Broadcast | Op::Slice(_) => true,
                Op::Reshape => !self.stored[node.inputs[0].index()],
                _ => false,
            };
            let inner = if reachable {
                access.through(&node.op, self.tape.shape(node.inputs[0]), &node.shape).ok()
            } else {
                None
            };
            match inner {
                Some(inner) => {
                    access = inner;
                    current = node.inputs[0];
                }
                None => break,
            }
        }
        let view = access.view(self.tape.shape(current));
        let owner = self.contiguous(current);
        let stride = |d: usize| if shape[d] == 1 { 0 } else { view.strides[d] as usize };
        let offset = view.offset as usize;
        (owner, MatrixView { offset, trial: stride(0), row: stride(1), col: stride(2) })
    }
}
