//! Which buffer holds which tensor, by lifetime.

use std::collections::HashMap;

use super::{
    kernel::{BufferId, Step},
    lower::TensorStep,
};
use crate::tape::{Tape, Var, op::Op};

/// Places every tensor. `persistent` tensors and literals keep a buffer of their own; `in_place` pairs
/// `(value, state)` share the state's; the rest take over buffers that nobody will read again.
pub fn assign(
    tape: &Tape,
    steps: Vec<TensorStep>,
    persistent: &[Var],
    in_place: &[(Var, Var)],
    share: bool,
) -> (Vec<Step>, Vec<usize>, HashMap<Var, BufferId>) {
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

    let mut last_use: HashMap<Var, usize> = HashMap::new();
    for (i, step) in steps.iter().enumerate() {
        last_use.extend(step.reads.iter().map(|&v| (v, i)));
    }
    let mut free: Vec<BufferId> = Vec::new();
    let mut owned: HashMap<Var, BufferId> = HashMap::new();
    let mut placed = Vec::with_capacity(steps.len());
    for (i, step) in steps.into_iter().enumerate() {
        let place = |v: &Var| home.get(v).or_else(|| owned.get(v)).copied();
        let reads: Vec<BufferId> =
            step.reads.iter().map(|v| place(v).expect("operands are computed before their users")).collect();
        let write = place(&step.write).unwrap_or_else(|| {
            let buffer = take(&mut free, &mut buffers, tape.len_of(step.write));
            owned.insert(step.write, buffer);
            buffer
        });
        if share {
            for v in &step.reads {
                if last_use[v] == i {
                    free.extend(owned.remove(v));
                }
            }
        }
        placed.push(Step { kernel: step.kernel, reads, write });
    }
    (placed, buffers, home)
}

/// The free buffer that fits best; the largest one, grown, if none does.
fn take(free: &mut Vec<BufferId>, buffers: &mut Vec<usize>, len: usize) -> BufferId {
    let fits = (0..free.len()).filter(|&i| buffers[free[i]] >= len).min_by_key(|&i| buffers[free[i]]);
    match fits.or_else(|| (0..free.len()).max_by_key(|&i| buffers[free[i]])) {
        Some(i) => {
            let buffer = free.swap_remove(i);
            buffers[buffer] = buffers[buffer].max(len);
            buffer
        }
        None => {
            buffers.push(len);
            buffers.len() - 1
        }
    }
}
