//! Steps that compute the same in every iteration: they run once after their inputs were written.
//!
//! What depends on no state is the same in every replay: squares of the observed gradient, batch norm's scales from
//! running statistics, entropies of labels. Its results take memory for as long as the plan lives, so a large one
//! that is as fast to compute as to read stays in the iteration, unless it only puts elements in another order: that a
//! contraction wants them so is why it exists, and it would write and read them in every iteration.

use std::collections::HashSet;

use super::{
    kernel::{Instr, Kernel, Step},
    lower::TensorStep,
};
use crate::tape::{Tape, Var};

/// Elements of a result that is kept at any rate.
const SMALL: usize = 1 << 14;
/// Floating-point operations saved a kept element that a large result must be worth, …
const FLOPS: u64 = 16;
/// … or bytes moved a kept byte.
const BYTES: u64 = 8;

/// Whether each node has the same value in every iteration: none that `changing` holds, and none that depends on one.
pub(crate) fn constant(tape: &Tape, changing: &HashSet<Var>) -> Vec<bool> {
    let mut constant: Vec<bool> = Vec::with_capacity(tape.nodes().len());
    for (i, node) in tape.nodes().iter().enumerate() {
        let is_constant = node.inputs.iter().all(|v| constant[v.index()]);
        constant.push(is_constant && !changing.contains(&Var::from_index(i)));
    }
    constant
}

/// Moves the steps that depend on nothing that changes to the front, and says how many they are. `changing`: inputs
/// that differ from one iteration to the next; `updates`: `(state, new value)`.
pub(crate) fn hoist(
    tape: &Tape,
    steps: Vec<TensorStep>,
    changing: &HashSet<Var>,
    updates: &[(Var, Var)],
) -> (Vec<TensorStep>, usize) {
    let changing = changing.iter().copied().chain(updates.iter().map(|u| u.1)).collect();
    let constant = constant(tape, &changing);
    let mut early: Vec<bool> = steps.iter().map(|step| constant[step.write.index()]).collect();
    // From the end: a step that stays in the iteration keeps what it reads.
    let mut wanted: HashSet<Var> = HashSet::new();
    for (step, early) in steps.iter().zip(&mut early).rev() {
        *early &= !wanted.contains(&step.write) || is_worth_keeping(tape, step);
        if !*early {
            wanted.extend(&step.reads);
        }
    }
    let count = early.iter().filter(|&&early| early).count();
    let (mut first, mut rest) = (Vec::with_capacity(steps.len()), Vec::new());
    for (step, early) in steps.into_iter().zip(early) {
        if early { first.push(step) } else { rest.push(step) }
    }
    first.extend(rest);
    (first, count)
}

fn is_worth_keeping(tape: &Tape, step: &TensorStep) -> bool {
    let kept = tape.len_of(step.write);
    // Costs depend on the kernel alone, not on which buffers it is given.
    let step = Step { kernel: step.kernel.clone(), reads: vec![], write: 0 };
    let is_map = matches!(step.kernel, Kernel::Map(_));
    let is_order = matches!(&step.kernel, Kernel::Map(k) if k.program.code[..] == [Instr::Load(0)]);
    kept <= SMALL
        || is_order
        || step.flops() >= FLOPS * kept as u64
        || !is_map && step.bytes() >= BYTES * super::dump::ELEMENT * kept as u64
}
