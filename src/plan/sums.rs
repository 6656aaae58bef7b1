//! Sums of two convolutions as one contraction.
//!
//! Double backpropagation makes `conv(x,v) + conv(u,w)` at every layer: the derivative of a convolution by both its
//! operands. That is one convolution over the channels of x and u together. Concatenating them would copy both, so the
//! kernel takes both pairs of operands and adds the second product to the first where it lies: what is saved is a result
//! written and two read. The same holds for two gradients by x.

use std::collections::{HashMap, HashSet};

use super::simplify::Simplified;
use crate::tape::{
    Tape, Var,
    op::{Binary, Op},
};

/// Merges pairs of convolutions in sums. A merged node has four operands: x, v, u, w. `roots` keep their values.
pub(crate) fn merge(simple: Simplified, roots: &[Var]) -> Simplified {
    let Simplified { tape, renamed } = simple;
    let sums = Sums::new(&tape, roots.iter().map(|root| renamed[root]));
    let rewritten: HashMap<Var, (Vec<[Var; 2]>, Vec<Var>)> =
        sums.whole().filter_map(|sum| Some((sum, sums.pairs(sum)?))).collect();
    if rewritten.is_empty() {
        return Simplified { tape, renamed };
    }
    let gone: HashSet<Var> = rewritten.keys().flat_map(|&sum| sums.inner(sum)).collect();
    let gone_pairs: HashSet<Var> =
        rewritten.values().flat_map(|(pairs, _)| pairs).flatten().copied().collect();

    let mut merged = Tape::new();
    let mut names: HashMap<Var, Var> = HashMap::new();
    for (i, node) in tape.nodes().iter().enumerate() {
        let v = Var::from_index(i);
        if gone.contains(&v) || gone_pairs.contains(&v) {
            continue;
        }
        let name = match rewritten.get(&v) {
            Some((pairs, rest)) => {
                let mut parts: Vec<Var> = Vec::with_capacity(pairs.len() + rest.len());
                for [a, b] in pairs {
                    let operands = [a, b].into_iter().flat_map(|c| &tape.node(*c).inputs).map(|o| names[o]);
                    let operands = operands.collect();
                    parts.push(merged.push(tape.node(*a).op.clone(), operands, node.shape.clone()));
                }
                parts.extend(rest.iter().map(|r| names[r]));
                let mut sum = parts[0];
                for &part in &parts[1..] {
                    sum = merged.push(Op::Binary(Binary::Add), vec![sum, part], node.shape.clone());
                }
                sum
            }
            None => {
                let inputs = node.inputs.iter().map(|o| names[o]).collect();
                merged.push(node.op.clone(), inputs, node.shape.clone())
            }
        };
        names.insert(v, name);
    }
    let renamed = renamed.into_iter().filter_map(|(old, new)| Some((old, *names.get(&new)?))).collect();
    Simplified { tape: merged, renamed }
}

/// The additions of a tape.
struct Sums<'a> {
    tape: &'a Tape,
    /// How often each node is used; roots count as used by someone else, too.
    uses: Vec<usize>,
    /// Additions whose only user is another addition.
    inner: Vec<bool>,
}

impl<'a> Sums<'a> {
    fn new(tape: &'a Tape, roots: impl Iterator<Item = Var>) -> Self {
        let mut uses = vec![0; tape.nodes().len()];
        tape.nodes().iter().flat_map(|n| &n.inputs).for_each(|v| uses[v.index()] += 1);
        roots.for_each(|root| uses[root.index()] += 2);
        let mut sums = Sums { tape, uses, inner: vec![false; tape.nodes().len()] };
        for i in 0..tape.nodes().len() {
            if sums.is_addition(Var::from_index(i)) {
                for v in &tape.nodes()[i].inputs {
                    sums.inner[v.index()] = sums.is_addition(*v) && sums.uses[v.index()] == 1;
                }
            }
        }
        sums
    }

    fn is_addition(&self, v: Var) -> bool {
        self.tape.node(v).op == Op::Binary(Binary::Add)
    }

    /// Additions that end a sum.
    fn whole(&self) -> impl Iterator<Item = Var> + '_ {
        let all = (0..self.inner.len()).filter(|&i| !self.inner[i]).map(Var::from_index);
        all.filter(|&v| self.is_addition(v))
    }

    /// The additions within a sum.
    fn inner(&self, sum: Var) -> Vec<Var> {
        let mut found: Vec<Var> = vec![];
        let mut stack = vec![sum];
        while let Some(v) = stack.pop() {
            let parts = self.tape.node(v).inputs.iter().copied().filter(|part| self.inner[part.index()]);
            for part in parts {
                found.push(part);
                stack.push(part);
            }
        }
        found
    }

    /// The convolutions of a sum that make pairs, and its other terms; `None` if there are no pairs.
    fn pairs(&self, sum: Var) -> Option<(Vec<[Var; 2]>, Vec<Var>)> {
        let additions = [vec![sum], self.inner(sum)].concat();
        let mut terms: Vec<Var> = additions.iter().flat_map(|v| self.tape.node(*v).inputs.clone()).collect();
        terms.retain(|v| !self.inner[v.index()]);
        terms.sort_unstable();
        let mut pairs: Vec<[Var; 2]> = vec![];
        let mut rest: Vec<Var> = vec![];
        for term in terms {
            let partner =
                rest.iter().position(|&other| self.is_mergeable(other) && self.is_like(other, term));
            match partner {
                Some(at) if self.is_mergeable(term) => pairs.push([rest.remove(at), term]),
                _ => rest.push(term),
            }
        }
        (!pairs.is_empty()).then_some((pairs, rest))
    }

    /// A convolution that this sum alone wants. The first of two gradients by x would otherwise be there long before the
    /// second, and its operands go: waiting for the second must not keep more than it saves.
    fn is_mergeable(&self, v: Var) -> bool {
        let node = self.tape.node(v);
        let pays = match node.op {
            Op::Conv2d(_) => true,
            Op::Conv2dGradInput(_) => self.tape.len_of(node.inputs[1]) <= self.tape.len_of(v),
            _ => false,
        };
        pays && self.uses[v.index()] == 1
    }

    /// Whether two nodes are one operation on different operands.
    fn is_like(&self, a: Var, b: Var) -> bool {
        self.tape.node(a).op == self.tape.node(b).op && self.tape.shape(a) == self.tape.shape(b)
    }
}
