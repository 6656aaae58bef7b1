//! Which tensors are stored, and which are evaluated inside the kernels that use them.

use std::collections::HashSet;

use super::fuse::MAX_CODE;
use crate::tape::{
    Tape, Var,
    op::{Op, Unary},
};

/// True for operations that a fused kernel evaluates on the fly.
fn is_fusible(op: &Op) -> bool {
    matches!(
        op,
        Op::Scalar(_)
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Select
            | Op::Reshape
            | Op::Permute(_)
            | Op::Broadcast
            | Op::Slice(_)
            | Op::Pad(_)
            | Op::Flip(_)
    )
}

fn is_pointwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select)
}

/// Stored are: what is required, what a non-fusible operation makes, and pointwise results that
/// more than one kernel wants or that a broadcast would repeat, unless they are cheaper to redo.
pub fn choose_stored(tape: &Tape, required: &[Var]) -> Vec<bool> {
    let count = tape.nodes().len();
    let mut stored: Vec<bool> = tape.nodes().iter().map(|n| !is_fusible(&n.op)).collect();
    required.iter().for_each(|v| stored[v.index()] = true);
    for node in tape.nodes().iter().filter(|n| !is_fusible(&n.op) && !matches!(n.op, Op::Reduce(..))) {
        node.inputs.iter().for_each(|&v| stored[operand_source(tape, v, &node.op).index()] = true);
    }
    // Kernels that would evaluate the node, told apart by the shifting view they see it through.
    let mut users: Vec<HashSet<(usize, usize)>> = vec![HashSet::new(); count];
    let mut repeated = vec![false; count];
    let costs = costs(tape, &stored);
    for i in (0..count).rev() {
        let node = &tape.nodes()[i];
        let crowded = users[i].len() > 1 && !costs[i].cheap_twice();
        if is_pointwise(&node.op) && (crowded || repeated[i] && !costs[i].cheap_always()) {
            stored[i] = true;
        }
        let seen: HashSet<(usize, usize)> = match &node.op {
            _ if stored[i] => [(i, i)].into(),
            Op::Slice(_) | Op::Pad(_) | Op::Flip(_) => users[i].iter().map(|u| (u.0, i)).collect(),
            _ => users[i].clone(),
        };
        let repeats =
            !stored[i] && (repeated[i] && !is_pointwise(&node.op)) || matches!(node.op, Op::Broadcast);
        for input in &node.inputs {
            users[input.index()].extend(&seen);
            repeated[input.index()] |= repeats;
        }
    }
    cut_deep(tape, &mut stored);
    stored
}

/// Stores a part of every expression that is too deep for one program, so that nothing recurses deeper.
fn cut_deep(tape: &Tape, stored: &mut [bool]) {
    let mut depth = vec![0; stored.len()];
    for (i, node) in tape.nodes().iter().enumerate() {
        let below = node.inputs.iter().map(|v| depth[v.index()]).max().unwrap_or(0);
        depth[i] = below + usize::from(is_pointwise(&node.op));
        stored[i] |= depth[i] >= MAX_CODE;
        if stored[i] {
            depth[i] = 0;
        }
    }
}

/// What a kernel's operand stands for once the shape operations that the kernel reads through are gone.
fn operand_source(tape: &Tape, mut v: Var, kernel: &Op) -> Var {
    loop {
        let node = tape.node(v);
        match (&node.op, kernel) {
            (Op::Reshape, _) | (Op::Permute(_) | Op::Broadcast | Op::Slice(_), Op::Matmul) => {}
            (Op::Broadcast, Op::Conv2d(_) | Op::Conv2dGradInput(_) | Op::Conv2dGradWeight(_)) => {}
            _ => return v,
        }
        v = node.inputs[0];
    }
}

/// An upper bound on the work of evaluating a node inside another kernel.
#[derive(Clone, Copy, Default)]
struct Cost {
    ops: usize,
    /// The stored tensor that it reads, if there is but one.
    leaf: Option<Var>,
    several_leaves: bool,
    transcendental: bool,
}

impl Cost {
    /// One operand and a few operations: reading a stored copy would cost as much.
    fn cheap_twice(&self) -> bool {
        !self.several_leaves && self.ops <= 3 && !self.transcendental
    }

    fn cheap_always(&self) -> bool {
        !self.several_leaves && self.ops <= 1 && !self.transcendental
    }
}

/// Costs, given what is sure to be stored.
fn costs(tape: &Tape, stored: &[bool]) -> Vec<Cost> {
    let mut costs: Vec<Cost> = Vec::with_capacity(tape.nodes().len());
    for (i, node) in tape.nodes().iter().enumerate() {
        let mut cost = Cost::default();
        if stored[i] {
            cost.leaf = Some(Var::from_index(i));
        } else {
            for input in &node.inputs {
                let part = costs[input.index()];
                cost.ops = (cost.ops + part.ops).min(1000);
                cost.several_leaves |= part.several_leaves
                    || cost.leaf.is_some() && part.leaf.is_some() && cost.leaf != part.leaf;
                cost.leaf = cost.leaf.or(part.leaf);
                cost.transcendental |= part.transcendental;
            }
            cost.ops += usize::from(is_pointwise(&node.op));
            cost.transcendental |= matches!(
                node.op,
                Op::Unary(
                    Unary::Exp
                        | Unary::Log
                        | Unary::Tanh
                        | Unary::Sigmoid
                        | Unary::Erf
                        | Unary::Sqrt
                        | Unary::Rsqrt
                )
            );
        }
        costs.push(cost);
    }
    costs
}
