//! How a tape is computed: the steps, in order, and the buffers they use.
//!
//! A plan is made once and replayed thousands of times. One replay is one iteration: it reads inputs
//! and state, computes everything, and leaves new state for the next replay on the device.

mod access;
mod apart;
mod dump;
mod fuse;
mod in_place;
pub mod kernel;
mod lower;
mod memory;
mod prologue;
mod report;
mod schedule;
mod simplify;
mod stored;
mod sums;
mod turned;
mod update;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

pub use dump::Totals;

use crate::tape::{Tape, Var, op::Op};
use kernel::{BufferId, Kernel, Step};

/// A compiled schedule, replayed as one iteration.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In order: the prologue's, then those of one iteration.
    pub steps: Vec<Step>,
    /// How many steps, from the first on, depend on nothing that changes from one iteration to the next: they run
    /// when one of [`Plan::prologue_reads`] was written, and before the first iteration.
    pub prologue: usize,
    /// Length of each buffer in elements. Two tensors that never live together may share one.
    pub buffers: Vec<usize>,
    /// Buffers filled once, when the plan is compiled.
    pub literals: Vec<(BufferId, Arc<Vec<f64>>)>,
    /// Buffer and length of every input, state and kept output.
    pub bound: HashMap<Var, (BufferId, usize)>,
}

/// Choices that tests compare against their plain counterparts.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// Evaluate pointwise chains in one kernel; without it every operation stores its result.
    pub fuse: bool,
    /// Let tensors that never live together share a buffer.
    pub share_buffers: bool,
    /// Run steps that depend on no state once, not in every iteration.
    pub prologue: bool,
    /// Order the steps for least memory; without it they stand in the order of the tape.
    pub schedule: bool,
    /// Add two convolutions of one spec in one kernel.
    pub merge_sums: bool,
    /// Turn weights that stay the same round once, where a gradient by x is then faster.
    pub turn_weights: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions {
            fuse: true,
            share_buffers: true,
            prologue: true,
            schedule: true,
            merge_sums: true,
            turn_weights: true,
        }
    }
}

impl Plan {
    /// Plans one iteration that computes `keep` and then sets each state to its new value.
    ///
    /// `updates` are pairs of a state (an input of the tape) and its next value of the same shape.
    /// All new values are computed from the old state.
    pub fn new(tape: &Tape, keep: &[Var], updates: &[(Var, Var)]) -> Plan {
        Plan::with_options(tape, keep, updates, PlanOptions::default())
    }

    /// Plans one evaluation of `keep` at inputs of which only `varying` are written between evaluations.
    pub fn evaluation(tape: &Tape, keep: &[Var], varying: &[Var]) -> Plan {
        Plan::build(tape, keep, &[], varying, PlanOptions::default())
    }

    /// [`Plan::new`] with some of its optimisations left out, for tests and measurements.
    pub fn with_options(tape: &Tape, keep: &[Var], updates: &[(Var, Var)], options: PlanOptions) -> Plan {
        Plan::build(tape, keep, updates, &[], options)
    }

    fn build(
        tape: &Tape,
        keep: &[Var],
        updates: &[(Var, Var)],
        varying: &[Var],
        options: PlanOptions,
    ) -> Plan {
        let inputs: Vec<Var> =
            (0..tape.nodes().len()).map(Var::from_index).filter(|&v| tape.node(v).op == Op::Input).collect();
        let roots: Vec<Var> = keep
            .iter()
            .copied()
            .chain(updates.iter().flat_map(|&(state, value)| [state, value]))
            .chain(inputs.iter().copied())
            .collect();
        // Where nothing is known to change, all of it may.
        let changing: Vec<Var> =
            updates.iter().map(|update| update.0).chain(varying.iter().copied()).collect();
        let mut simple = simplify::simplify(tape, &roots);
        if options.turn_weights && !changing.is_empty() {
            simple = turned::turn(simple, &changing);
        }
        if options.merge_sums {
            simple = sums::merge(simple, &roots);
        }
        let kept: Vec<Var> = keep
            .iter()
            .map(|&v| match tape.node(v).op {
                Op::Input => simple.renamed[&v],
                _ => update::detach(&mut simple.tape, simple.renamed[&v]),
            })
            .collect();
        let renamed = |v: &Var| simple.renamed[v];
        let pairs: Vec<(Var, Var)> = updates.iter().map(|(s, v)| (renamed(s), renamed(v))).collect();
        for &(state, value) in &pairs {
            assert_eq!(
                simple.tape.shape(state),
                simple.tape.shape(value),
                "an update keeps its state's shape"
            );
        }
        let changing: HashSet<Var> = changing.iter().map(renamed).collect();
        let updates = update::separate(&mut simple.tape, &kept, pairs);
        let mut required = kept.clone();
        required.extend(updates.iter().map(|u| u.1));
        let steps = lower::lower(&simple.tape, &required, options.fuse);

        let (mut steps, prologue) = match options.prologue && !changing.is_empty() {
            true => prologue::hoist(&simple.tape, steps, &changing, &updates),
            false => (steps, 0),
        };
        if options.schedule {
            let held = required.iter().copied().collect();
            steps = schedule::order(&simple.tape, steps, prologue, held, &updates);
        }
        let in_place = update::write_in_place(&simple.tape, &mut steps, &updates);

        let mut persistent: Vec<Var> = inputs.iter().map(|v| simple.renamed[v]).collect();
        persistent.extend(&kept);
        let assigned =
            memory::assign(&simple.tape, steps, prologue, &persistent, &in_place, options.share_buffers);
        let memory::Assigned { steps, buffers, home } = assigned;

        let mut bound = HashMap::new();
        for (&v, held) in inputs.iter().chain(keep).zip(&persistent) {
            bound.insert(v, (home[held], tape.len_of(v)));
        }
        let mut literals: Vec<_> = home
            .iter()
            .filter_map(|(v, &buffer)| match &simple.tape.node(*v).op {
                Op::Literal(data) => Some((buffer, data.0.clone())),
                _ => None,
            })
            .collect();
        literals.sort_by_key(|literal| literal.0);
        Plan { steps, prologue, buffers, literals, bound }
    }

    /// A plan written by hand over buffers of these lengths; buffer `i` is bound to `Var` `i`.
    pub fn by_hand(steps: Vec<Step>, buffers: Vec<usize>) -> Plan {
        let bound = buffers.iter().enumerate().map(|(id, &len)| (Var::from_index(id), (id, len))).collect();
        Plan { steps, buffers, bound, ..Plan::default() }
    }

    /// One kernel over operands of these lengths, `Var`s 0 and on, and its result of length `written`, the `Var`
    /// after.
    pub fn of_kernel(kernel: Kernel, reads: &[usize], written: usize) -> Plan {
        let step = Step { kernel, reads: (0..reads.len()).collect(), write: reads.len() };
        Plan::by_hand(vec![step], [reads, &[written]].concat())
    }

    /// Buffers that the prologue reads and does not write: inputs and literals.
    pub fn prologue_reads(&self) -> HashSet<BufferId> {
        let steps = &self.steps[..self.prologue];
        let written: HashSet<BufferId> = steps.iter().map(|s| s.write).collect();
        steps.iter().flat_map(|s| &s.reads).copied().filter(|b| !written.contains(b)).collect()
    }
}
