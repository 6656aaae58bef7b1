//! State: new values are written straight into the state's buffer where nobody still needs the old
//! one, and copied at the end of the iteration where somebody does.

use std::collections::HashSet;

use super::{
    in_place::overwrite,
    kernel::{Instr, Leaf},
    kernel::{Kernel, MapKernel, Program, Source, View},
    lower::TensorStep,
};
use crate::tape::{
    Tape, Var,
    op::{Op, Unary},
};

/// Gives every update a value of its own: one that is neither an input, nor kept, nor another update's.
pub(crate) fn separate(tape: &mut Tape, kept: &[Var], updates: Vec<(Var, Var)>) -> Vec<(Var, Var)> {
    let mut taken: HashSet<Var> = kept.iter().copied().collect();
    updates
        .into_iter()
        .map(|(state, value)| {
            let computed = !matches!(tape.node(value).op, Op::Input | Op::Literal(_) | Op::Scalar(_));
            if computed && taken.insert(value) {
                return (state, value);
            }
            (state, duplicate(tape, value))
        })
        .collect()
}

/// A kept output that simplified to an input gets a value of its own: it must hold what the iteration
/// computed, not what the input has become since.
pub(crate) fn detach(tape: &mut Tape, kept: Var) -> Var {
    if tape.node(kept).op == Op::Input { duplicate(tape, kept) } else { kept }
}

fn duplicate(tape: &mut Tape, value: Var) -> Var {
    let shape = tape.shape(value).to_vec();
    tape.push(Op::Unary(Unary::Powi(1)), vec![value], shape)
}

/// Rewrites steps so that each update ends in its state. Returns the tensors that live in a state's
/// buffer: `(new value, state)`.
pub(crate) fn write_in_place(
    tape: &Tape,
    steps: &mut Vec<TensorStep>,
    updates: &[(Var, Var)],
) -> Vec<(Var, Var)> {
    let mut in_place = Vec::new();
    let mut copies = Vec::new();
    for &(state, value) in updates {
        let direct = sink(steps, state, value, &in_place);
        if direct && write_to_state(tape, steps, state, value) {
            in_place.push((value, state));
        } else {
            copies.push(copy(tape, state, value));
        }
    }
    steps.extend(copies);
    in_place
}

/// Moves the step that writes `value` behind the last reader of the old `state`, if no reader of
/// `value` stands before that.
fn sink(steps: &mut [TensorStep], state: Var, value: Var, in_place: &[(Var, Var)]) -> bool {
    let Some(at) = steps.iter().position(|s| s.write == value) else { return false };
    let reads = |s: &TensorStep, v: Var| s.reads.contains(&v);
    let last = steps.iter().rposition(|s| reads(s, state)).unwrap_or(at).max(at);
    // It must not move behind a step that overwrites, in place, a state whose old value it reads.
    let overwrites =
        |s: &TensorStep| in_place.iter().any(|(v, old)| *v == s.write && reads(&steps[at], *old));
    let blocked = steps[at + 1..=last].iter().any(|s| reads(s, value) || overwrites(s));
    if blocked {
        return false;
    }
    steps[at..=last].rotate_left(1);
    true
}

/// Redirects the step to the state's buffer; a map may read the old state only element by element.
fn write_to_state(tape: &Tape, steps: &mut [TensorStep], state: Var, value: Var) -> bool {
    let step = steps.iter_mut().find(|s| s.write == value).expect("sink found it");
    let Some(read) = step.reads.iter().position(|&r| r == state) else { return true };
    let Kernel::Map(map) = &mut step.kernel else { return false };
    debug_assert_eq!(map.dims.iter().product::<usize>(), tape.len_of(state));
    let is_state = |l: &Leaf| l.source == Source::Read(read);
    if !map.program.leaves.iter().all(|l| !is_state(l) || l.view.is_identity(&map.dims)) {
        return false;
    }
    step.reads.remove(read);
    overwrite(map, read);
    true
}

fn copy(tape: &Tape, state: Var, value: Var) -> TensorStep {
    let dims = vec![tape.len_of(state)];
    let leaf = Leaf { source: Source::Read(0), view: View::contiguous(&dims) };
    let program = Program { leaves: vec![leaf], code: vec![Instr::Load(0)] };
    TensorStep { kernel: Kernel::Map(MapKernel { dims, program }), reads: vec![value], write: state }
}
