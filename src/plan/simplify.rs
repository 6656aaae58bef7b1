//! Prunes a tape, folds constants and merges common subexpressions.
//!
//! Double backprop repeats a lot: the same masks, squares and broadcasts appear once per pass.
//! `0 · x` folds to 0 whatever `x` is; these zeros come from derivatives that vanish by structure.

use std::collections::HashMap;

use crate::tape::{
    Tape, Var,
    op::{Binary, Op, Reduce, Unary},
};

/// The simplified tape. A node `Op::Scalar` may have any shape there: a tensor of one value.
pub(crate) struct Simplified {
    pub tape: Tape,
    /// New name of every old node that is still needed.
    pub renamed: HashMap<Var, Var>,
}

/// Rebuilds what `roots` need. Inputs among the roots are always kept.
pub(crate) fn simplify(tape: &Tape, roots: &[Var]) -> Simplified {
    let mut needed = vec![false; tape.nodes().len()];
    roots.iter().for_each(|r| needed[r.index()] = true);
    for i in (0..needed.len()).rev() {
        if needed[i] {
            tape.nodes()[i].inputs.iter().for_each(|v| needed[v.index()] = true);
        }
    }
    let mut uses = vec![0; needed.len()];
    roots.iter().for_each(|r| uses[r.index()] += 1);
    for (node, _) in tape.nodes().iter().zip(&needed).filter(|(_, needed)| **needed) {
        node.inputs.iter().for_each(|v| uses[v.index()] += 1);
    }
    let mut rebuild = Rebuild { tape: Tape::new(), known: HashMap::new() };
    let mut renamed = HashMap::new();
    for (i, node) in tape.nodes().iter().enumerate().filter(|(i, _)| needed[*i]) {
        let inputs: Vec<Var> = node.inputs.iter().map(|v| renamed[v]).collect();
        let new = match node.op {
            Op::Input => rebuild.tape.push(Op::Input, vec![], node.shape.clone()),
            Op::Permute(ref axes) if axes[..] == TRANSPOSE && uses[node.inputs[0].index()] == 1 => {
                rebuild.transposed(inputs[0], node.shape.clone())
            }
            _ => rebuild.node(node.op.clone(), inputs, node.shape.clone()),
        };
        renamed.insert(Var::from_index(i), new);
    }
    Simplified { tape: rebuild.tape, renamed }
}

/// The order of axes that transposes matrices `(T,M,N)`.
const TRANSPOSE: [usize; 3] = [0, 2, 1];

struct Rebuild {
    tape: Tape,
    known: HashMap<(Op, Vec<Var>, Vec<usize>), Var>,
}

impl Rebuild {
    fn node(&mut self, op: Op, mut inputs: Vec<Var>, shape: Vec<usize>) -> Var {
        if let Some(value) = self.fold(&op, &inputs) {
            return self.unique(Op::Scalar(value.into()), vec![], shape);
        }
        if let Some(var) = self.rewrite(&op, &inputs, &shape) {
            return var;
        }
        if matches!(op, Op::Binary(Binary::Add | Binary::Mul | Binary::Equal)) {
            inputs.sort_unstable();
        }
        self.unique(op, inputs, shape)
    }

    /// The transpose of what nothing else uses. That of a product is a product: it is computed the right way round.
    fn transposed(&mut self, x: Var, shape: Vec<usize>) -> Var {
        let node = self.tape.node(x);
        if node.op != Op::Matmul {
            return self.node(Op::Permute(TRANSPOSE.into()), vec![x], shape);
        }
        let [a, b] = [node.inputs[1], node.inputs[0]].map(|operand| {
            let shape = self.tape.shape(operand);
            let shape = vec![shape[0], shape[2], shape[1]];
            self.node(Op::Permute(TRANSPOSE.into()), vec![operand], shape)
        });
        self.node(Op::Matmul, vec![a, b], shape)
    }

    fn unique(&mut self, op: Op, inputs: Vec<Var>, shape: Vec<usize>) -> Var {
        let key = (op, inputs, shape);
        if let Some(&var) = self.known.get(&key) {
            return var;
        }
        let (op, inputs, shape) = key.clone();
        let var = self.tape.push(op, inputs, shape);
        self.known.insert(key, var);
        var
    }

    fn constant(&self, var: Var) -> Option<f64> {
        match self.tape.node(var).op {
            Op::Scalar(value) => Some(value.0),
            _ => None,
        }
    }

    /// The one value of a node's every element, if its operands already tell.
    fn fold(&self, op: &Op, inputs: &[Var]) -> Option<f64> {
        let c = |i: usize| self.constant(inputs[i]);
        Some(match op {
            Op::Scalar(value) => value.0,
            Op::Unary(f) => unary(*f, c(0)?),
            Op::Binary(Binary::Mul) if c(0) == Some(0.0) || c(1) == Some(0.0) => 0.0,
            Op::Binary(f) => binary(*f, c(0)?, c(1)?),
            Op::Reshape | Op::Permute(_) | Op::Broadcast | Op::Slice(_) | Op::Flip(_) => c(0)?,
            Op::Pad(_) if c(0)? == 0.0 => 0.0,
            Op::Reduce(Reduce::Max, _) => c(0)?,
            Op::Reduce(Reduce::Sum, axes) => {
                let shape = self.tape.shape(inputs[0]);
                c(0)? * axes.iter().map(|&a| shape[a] as f64).product::<f64>()
            }
            Op::Matmul | Op::Conv2d(_) | Op::Conv2dGradInput(_) | Op::Conv2dGradWeight(_)
                if c(0) == Some(0.0) || c(1) == Some(0.0) =>
            {
                0.0
            }
            Op::WindowGather(_) | Op::WindowScatter(_) | Op::WindowSum(_) | Op::WindowSpread(_)
                if c(0) == Some(0.0) =>
            {
                0.0
            }
            _ => return None,
        })
    }

    fn rewrite(&mut self, op: &Op, inputs: &[Var], shape: &[usize]) -> Option<Var> {
        let c = |i: usize| self.constant(inputs[i]);
        let input = |i: usize| self.tape.node(inputs[i]);
        match op {
            Op::Unary(Unary::Neg) => match input(0).op {
                Op::Unary(Unary::Neg) => Some(input(0).inputs[0]),
                _ => None,
            },
            Op::Unary(Unary::Powi(1)) => Some(inputs[0]),
            Op::Binary(Binary::Add) => match (c(0), c(1)) {
                (Some(0.0), _) => Some(inputs[1]),
                (_, Some(0.0)) => Some(inputs[0]),
                _ => match input(1).op {
                    Op::Unary(Unary::Neg) => {
                        let negated = input(1).inputs[0];
                        Some(self.node(Op::Binary(Binary::Sub), vec![inputs[0], negated], shape.to_vec()))
                    }
                    _ if inputs[0] == inputs[1] => self.product(inputs[0], 2.0, shape),
                    _ => None,
                },
            },
            Op::Reduce(Reduce::Sum, axes) => self.sum(inputs[0], axes, shape),
            Op::Binary(Binary::Sub) if c(1) == Some(0.0) => Some(inputs[0]),
            Op::Binary(Binary::Sub) if c(0) == Some(0.0) => {
                Some(self.node(Op::Unary(Unary::Neg), vec![inputs[1]], shape.to_vec()))
            }
            Op::Binary(Binary::Div) if c(1) == Some(1.0) => Some(inputs[0]),
            Op::Binary(Binary::Mul) => {
                let (x, k) = match (c(0), c(1)) {
                    (Some(k), _) => (inputs[1], k),
                    (_, Some(k)) => (inputs[0], k),
                    _ => return None,
                };
                self.scaled(x, k, shape)
            }
            Op::Select => match c(0) {
                Some(mask) => Some(inputs[if mask != 0.0 { 1 } else { 2 }]),
                None if inputs[1] == inputs[2] => Some(inputs[1]),
                None => None,
            },
            Op::Reshape if self.tape.shape(inputs[0]) == shape => Some(inputs[0]),
            Op::Reshape => match input(0).op {
                Op::Reshape => {
                    let origin = input(0).inputs[0];
                    Some(self.node(Op::Reshape, vec![origin], shape.to_vec()))
                }
                _ => None,
            },
            Op::Permute(outer) => match &input(0).op {
                Op::Permute(inner) => {
                    let axes: Vec<_> = outer.iter().map(|&a| inner[a]).collect();
                    let origin = input(0).inputs[0];
                    if axes.iter().enumerate().all(|(i, &a)| i == a) {
                        return Some(origin);
                    }
                    Some(self.node(Op::Permute(axes), vec![origin], shape.to_vec()))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A sum whose terms share a factor, or that is known to vanish: `Σ s·x = s·Σ x`, `Σ (x − mean x) = 0`.
    fn sum(&mut self, x: Var, axes: &[usize], shape: &[usize]) -> Option<Var> {
        let node = self.tape.node(x).clone();
        match node.op {
            Op::Unary(Unary::Neg) => {
                let sum = self.node(Op::Reduce(Reduce::Sum, axes.into()), node.inputs, shape.to_vec());
                Some(self.node(Op::Unary(Unary::Neg), vec![sum], shape.to_vec()))
            }
            Op::Binary(Binary::Mul) => {
                let [a, b] = node.inputs[..] else { return None };
                let (term, factor) = match (self.common(a, axes, shape), self.common(b, axes, shape)) {
                    (Some(factor), _) => (b, factor),
                    (_, Some(factor)) => (a, factor),
                    _ => return None,
                };
                let sum = self.node(Op::Reduce(Reduce::Sum, axes.into()), vec![term], shape.to_vec());
                Some(self.node(Op::Binary(Binary::Mul), vec![sum, factor], shape.to_vec()))
            }
            Op::Binary(Binary::Sub) if self.is_mean(node.inputs[1], node.inputs[0], axes) => {
                Some(self.unique(Op::Scalar(0.0.into()), vec![], shape.to_vec()))
            }
            _ => None,
        }
    }

    /// What is the same all along `axes`, in the shape that is left of them.
    fn common(&mut self, x: Var, axes: &[usize], shape: &[usize]) -> Option<Var> {
        let node = self.tape.node(x).clone();
        match node.op {
            Op::Scalar(_) => Some(self.unique(node.op, vec![], shape.to_vec())),
            Op::Broadcast => {
                let small = node.inputs[0];
                let from = self.tape.shape(small).to_vec();
                let fits = from.len() == shape.len() && axes.iter().all(|&a| from[a] == 1);
                match fits {
                    true if from == shape => Some(small),
                    true => Some(self.node(Op::Broadcast, vec![small], shape.to_vec())),
                    false => None,
                }
            }
            _ => None,
        }
    }

    /// Whether `m` is the mean of `x` over `axes`, broadcast.
    fn is_mean(&self, m: Var, x: Var, axes: &[usize]) -> bool {
        let broadcast = self.tape.node(m);
        let Some(&mean) = broadcast.inputs.first() else { return false };
        let mean = self.tape.node(mean);
        if broadcast.op != Op::Broadcast || mean.op != Op::Binary(Binary::Mul) {
            return false;
        }
        let count: usize = axes.iter().map(|&a| self.tape.shape(x)[a]).product();
        let is_sum = |v: Var| {
            let node = self.tape.node(v);
            node.inputs[..] == [x] && node.op == Op::Reduce(Reduce::Sum, axes.into())
        };
        let is_share = |v: Var| self.constant(v) == Some(1.0 / count as f64);
        let [a, b] = mean.inputs[..] else { return false };
        is_sum(a) && is_share(b) || is_sum(b) && is_share(a)
    }

    /// `k · x` where `x` is itself scaled or negated, or `k` is ±1.
    fn scaled(&mut self, x: Var, k: f64, shape: &[usize]) -> Option<Var> {
        if k == 1.0 {
            return Some(x);
        }
        let node = self.tape.node(x).clone();
        match node.op {
            Op::Unary(Unary::Neg) => self.product(node.inputs[0], -k, shape),
            Op::Binary(Binary::Mul) => {
                let (inner, factor) = match (self.constant(node.inputs[0]), self.constant(node.inputs[1])) {
                    (Some(f), _) => (node.inputs[1], f),
                    (_, Some(f)) => (node.inputs[0], f),
                    _ => return None,
                };
                self.product(inner, k * factor, shape)
            }
            _ if k == -1.0 => Some(self.node(Op::Unary(Unary::Neg), vec![x], shape.to_vec())),
            _ => None,
        }
    }

    fn product(&mut self, x: Var, k: f64, shape: &[usize]) -> Option<Var> {
        let factor = self.unique(Op::Scalar(k.into()), vec![], shape.to_vec());
        Some(self.node(Op::Binary(Binary::Mul), vec![x, factor], shape.to_vec()))
    }
}

fn unary(f: Unary, x: f64) -> f64 {
    match f {
        Unary::Neg => -x,
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Erf => libm::erf(x),
        Unary::Abs => x.abs(),
        Unary::Powi(n) => x.powi(n),
        Unary::Step => f64::from(x > 0.0),
        Unary::Sign => f64::from(x > 0.0) - f64::from(x < 0.0),
    }
}

fn binary(f: Binary, a: f64, b: f64) -> f64 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Min if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Max => a.max(b),
        Binary::Min => a.min(b),
        Binary::Less => f64::from(a < b),
        Binary::Equal => f64::from(a == b),
    }
}
