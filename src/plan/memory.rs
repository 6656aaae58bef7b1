//! Which buffer holds which tensor, by lifetime.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    kernel::{BufferId, Step},
    lower::TensorStep,
};
use crate::tape::{Tape, Var, op::Op};

/// A schedule with every tensor in a buffer.
pub(crate) struct Assigned {
    pub steps: Vec<Step>,
    /// Length of each buffer.
    pub buffers: Vec<usize>,
    /// Buffers of inputs, states, kept outputs and literals.
    pub home: HashMap<Var, BufferId>,
}

/// From the step that writes a tensor to the last that needs it, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub len: usize,
    pub from: usize,
    pub to: usize,
}

impl Lifetime {
    fn meets(&self, other: &Lifetime) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// Places every tensor. `persistent` tensors and literals keep a buffer of their own; `in_place` pairs
/// `(value, state)` share the state's; the rest share buffers with tensors that they never live with. What the
/// first `prologue` steps make for the others lives to the end: the others run again without them.
pub(crate) fn assign(
    tape: &Tape,
    steps: Vec<TensorStep>,
    prologue: usize,
    persistent: &[Var],
    in_place: &[(Var, Var)],
    share: bool,
) -> Assigned {
    let mut buffers: Vec<usize> = Vec::new();
    let mut home: HashMap<Var, BufferId> = HashMap::new();
    let literals =
        steps.iter().flat_map(|s| &s.reads).filter(|v| matches!(tape.node(**v).op, Op::Literal(_)));
    for &v in persistent.iter().chain(literals) {
        home.entry(v).or_insert_with(|| {
            buffers.push(tape.len_of(v));
            buffers.len() - 1
        });
    }
    for (value, state) in in_place {
        home.insert(*value, home[state]);
    }

    let (tensors, lifetimes) = lifetimes(tape, &steps, prologue, &home);
    let mut place = home.clone();
    let held = buffers.len();
    let numbers = if share { shared(&lifetimes) } else { (0..lifetimes.len()).collect() };
    for ((tensor, lifetime), number) in tensors.into_iter().zip(&lifetimes).zip(numbers) {
        let id = held + number;
        if id >= buffers.len() {
            buffers.resize(id + 1, 0);
        }
        buffers[id] = buffers[id].max(lifetime.len);
        place.insert(tensor, id);
    }
    let at = |v: &Var| *place.get(v).expect("operands are computed before their users");
    let steps = steps
        .into_iter()
        .map(|s| Step { reads: s.reads.iter().map(at).collect(), write: at(&s.write), kernel: s.kernel })
        .collect();
    Assigned { steps, buffers, home }
}

/// Of every tensor that has no home, in the order in which they are written.
fn lifetimes(
    tape: &Tape,
    steps: &[TensorStep],
    prologue: usize,
    home: &HashMap<Var, BufferId>,
) -> (Vec<Var>, Vec<Lifetime>) {
    let (mut tensors, mut lifetimes): (Vec<Var>, Vec<Lifetime>) = (vec![], vec![]);
    let mut known: HashMap<Var, usize> = HashMap::new();
    for (i, step) in steps.iter().enumerate() {
        for v in &step.reads {
            if let Some(&at) = known.get(v) {
                let made_before = lifetimes[at].from < prologue && i >= prologue;
                lifetimes[at].to = if made_before { steps.len() } else { lifetimes[at].to.max(i) };
            }
        }
        if !home.contains_key(&step.write) {
            known.insert(step.write, lifetimes.len());
            let len = tape.len_of(step.write);
            tensors.push(step.write);
            lifetimes.push(Lifetime { len, from: i, to: i });
        }
    }
    (tensors, lifetimes)
}

/// A number for each tensor, the same only for tensors that never live together: the larger of each pair goes
/// first, into the smallest buffer that is free all its life ("greedy by size", Pisarchyk 2020).
pub(crate) fn shared(lifetimes: &[Lifetime]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&i| (Reverse(lifetimes[i].len), i));
    let mut buffers: Vec<Vec<usize>> = Vec::new();
    let mut numbers = vec![0; lifetimes.len()];
    for i in order {
        let free = |taken: &Vec<usize>| taken.iter().all(|&other| !lifetimes[i].meets(&lifetimes[other]));
        // Buffers stand in order of size: each has the length of the first tensor that it took.
        let number = buffers.iter().rposition(free).unwrap_or_else(|| {
            buffers.push(Vec::new());
            buffers.len() - 1
        });
        buffers[number].push(i);
        numbers[i] = number;
    }
    numbers
}
