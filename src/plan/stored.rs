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
pub(crate) fn choose_stored(tape: &Tape, required: &[Var]) -> Vec<bool> {
    let mut stored: Vec<bool> = tape.nodes().iter().map(|n| !is_fusible(&n.op)).collect();
    required.iter().for_each(|v| stored[v.index()] = true);
    for node in tape.nodes().iter().filter(|n| !is_fusible(&n.op) && !matches!(n.op, Op::Reduce(..))) {
        node.inputs.iter().for_each(|&v| stored[operand_source(tape, v, &node.op).index()] = true);
    }
    // What a node costs depends on which of its operands are stored: first guessed, then known well enough.
    let guess = crowded(tape, stored.clone(), &costs(tape, &stored));
    let mut stored = crowded(tape, stored, &costs(tape, &guess));
    cut_deep(tape, &mut stored);
    stored
}

/// `stored`, and the pointwise results that are too dear to be evaluated by each of their users.
fn crowded(tape: &Tape, mut stored: Vec<bool>, costs: &[Cost]) -> Vec<bool> {
    let count = stored.len();
    // Kernels that would evaluate the node, told apart by the shifting view they see it through.
    let mut users: Vec<HashSet<(usize, usize)>> = vec![HashSet::new(); count];
    let mut repeated = vec![false; count];
    for i in (0..count).rev() {
        let node = &tape.nodes()[i];
        let crowded = users[i].len() > 1 && !costs[i].cheap_twice(tape, i);
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

/// Stored tensors that have less than this part of a node's elements cost nothing beside it: they stay in the cache.
const SMALL: usize = 16;
/// Small ones that one expression may read and still be cheap: a kernel binds few buffers.
const MOST_SMALL: usize = 3;

/// An upper bound on the work of evaluating a node inside another kernel.
#[derive(Clone, Default)]
struct Cost {
    ops: usize,
    /// Stored tensors that it reads.
    leaves: Vec<Var>,
    too_many_leaves: bool,
    transcendental: bool,
}

impl Cost {
    fn reads(&mut self, leaf: Var) {
        if !self.leaves.contains(&leaf) {
            self.leaves.push(leaf);
        }
        if self.leaves.len() > 1 + MOST_SMALL {
            self.too_many_leaves = true;
            self.leaves.clear();
        }
    }

    /// As [`Cost::reads_one`], and a few operations: reading a stored copy would cost as much.
    fn cheap_twice(&self, tape: &Tape, node: usize) -> bool {
        self.ops <= 4 && !self.transcendental && self.reads_one(tape, node)
    }

    fn cheap_always(&self) -> bool {
        self.leaves.len() <= 1 && !self.too_many_leaves && self.ops <= 1 && !self.transcendental
    }

    /// One operand, and perhaps some that are small beside it, as a norm's statistics are.
    fn reads_one(&self, tape: &Tape, node: usize) -> bool {
        // Of one trial: what is stored must not depend on how many there are.
        let len = |v: Var| tape.shape(v).iter().skip(1).product::<usize>();
        let own = len(Var::from_index(node));
        let large = self.leaves.iter().filter(|&&leaf| len(leaf) * SMALL > own).count();
        !self.too_many_leaves && large <= 1
    }
}

/// What each node would cost, given which ones are stored.
fn costs(tape: &Tape, stored: &[bool]) -> Vec<Cost> {
    let mut costs: Vec<Cost> = Vec::with_capacity(tape.nodes().len());
    for node in tape.nodes() {
        let mut cost = Cost { ops: usize::from(is_pointwise(&node.op)), ..Cost::default() };
        cost.transcendental = matches!(
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
        for &input in &node.inputs {
            if stored[input.index()] {
                cost.reads(input);
                continue;
            }
            let part = &costs[input.index()];
            cost.ops = (cost.ops + part.ops).min(1000);
            cost.transcendental |= part.transcendental;
            cost.too_many_leaves |= part.too_many_leaves;
            part.leaves.iter().for_each(|&leaf| cost.reads(leaf));
        }
        costs.push(cost);
    }
    costs
}
