//! Buffers change hands only when nobody needs their contents any more.
//!
//! A plan without shared buffers gives every tensor a place of its own, so it says which step's result each
//! step wants. The plan with shared buffers must deliver exactly that to every step.

use std::collections::{HashMap, HashSet};

use gia_gpu::plan::{
    Plan, PlanOptions,
    kernel::{BufferId, Kernel, MAX_MAP_READS, Source, Step},
};

use super::random_graph::graph;

const SEEDS: u64 = 400;

/// Of each step, where the contents of each buffer that it reads were made: by which step of the
/// iteration, or before it.
fn sources(plan: &Plan) -> Vec<Vec<Option<usize>>> {
    let mut writer: HashMap<BufferId, usize> = HashMap::new();
    let trace = |(i, step): (usize, &Step)| {
        // In place, a map reads its own buffer, too.
        let own = in_place(step).then_some(step.write);
        let from = step.reads.iter().chain(&own).map(|b| writer.get(b).copied()).collect();
        writer.insert(step.write, i);
        from
    };
    plan.steps.iter().enumerate().map(trace).collect()
}

fn in_place(step: &Step) -> bool {
    match &step.kernel {
        Kernel::Map(k) => k.program.leaves.iter().any(|l| l.source == Source::Output),
        _ => false,
    }
}

/// Buffers of inputs, states, kept outputs and literals.
fn held(plan: &Plan) -> HashSet<BufferId> {
    plan.bound.values().map(|b| b.0).chain(plan.literals.iter().map(|l| l.0)).collect()
}

#[test]
fn every_step_finds_what_it_needs_although_buffers_are_shared() {
    let mut saved = 0;
    for seed in 0..SEEDS {
        let g = graph(seed);
        let shared = Plan::new(&g.tape, &g.keep, &g.updates);
        let options = PlanOptions { share_buffers: false, ..PlanOptions::default() };
        let apart = Plan::with_options(&g.tape, &g.keep, &g.updates, options);
        let kernels = |p: &Plan| p.steps.iter().map(|s| format!("{:?}", s.kernel)).collect::<Vec<_>>();
        assert_eq!(kernels(&shared), kernels(&apart), "seed {seed}");
        assert_eq!(sources(&shared), sources(&apart), "seed {seed}");
        saved += apart.buffers.len() - shared.buffers.len();
    }
    assert!(saved > SEEDS as usize, "only {saved} buffers were shared");
}

#[test]
fn without_shared_buffers_only_states_are_written_over() {
    for seed in 0..SEEDS {
        let g = graph(seed);
        let options = PlanOptions { share_buffers: false, ..PlanOptions::default() };
        let plan = Plan::with_options(&g.tape, &g.keep, &g.updates, options);
        let written: HashSet<BufferId> = plan.steps.iter().map(|s| s.write).collect();
        assert_eq!(written.len(), plan.steps.len(), "seed {seed}: a buffer has two writers");
        // What is read before it is written comes from outside the iteration.
        let states: HashSet<BufferId> = g.updates.iter().map(|(s, _)| plan.bound[s].0).collect();
        let inputs: HashSet<BufferId> = g.inputs.iter().map(|(v, _)| plan.bound[v].0).collect();
        let literals: HashSet<BufferId> = plan.literals.iter().map(|l| l.0).collect();
        for (i, (step, from)) in plan.steps.iter().zip(sources(&plan)).enumerate() {
            let reads = step.reads.iter().chain(in_place(step).then_some(&step.write));
            for (buffer, writer) in reads.zip(from) {
                let outside = inputs.contains(buffer) || literals.contains(buffer);
                assert!(writer.is_some() || outside, "seed {seed}: step {i} reads buffer {buffer} too early");
            }
            let constant = inputs.contains(&step.write) || literals.contains(&step.write);
            assert!(!constant || states.contains(&step.write), "seed {seed}: step {i} writes to an input");
        }
        assert!(states.is_subset(&written), "seed {seed}: a state is not updated");
    }
}

#[test]
fn temporaries_never_take_over_the_buffer_of_an_input_a_state_an_output_or_a_literal() {
    for seed in 0..SEEDS {
        let g = graph(seed);
        let plan = Plan::new(&g.tape, &g.keep, &g.updates);
        for &buffer in &held(&plan) {
            let writers = plan.steps.iter().filter(|s| s.write == buffer).count();
            assert!(writers <= 1, "seed {seed}: buffer {buffer} has {writers} writers in one iteration");
        }
        let mut owner: HashMap<BufferId, &str> = HashMap::new();
        let of_inputs = g.inputs.iter().map(|(v, _)| (plan.bound[v].0, "input"));
        for (buffer, what) in of_inputs.chain(plan.literals.iter().map(|l| (l.0, "literal"))) {
            assert!(owner.insert(buffer, what).is_none(), "seed {seed}: buffer {buffer} is shared by inputs");
        }
    }
}

#[test]
fn no_step_reads_the_buffer_it_writes_or_more_buffers_than_a_kernel_binds() {
    for seed in 0..SEEDS {
        let g = graph(seed);
        for step in &Plan::new(&g.tape, &g.keep, &g.updates).steps {
            check_step(step);
        }
    }
}

/// What every device relies on.
pub(crate) fn check_step(step: &Step) {
    assert!(!step.reads.contains(&step.write), "{step:?}");
    let (leaves, dims) = match &step.kernel {
        Kernel::Map(k) => (&k.program.leaves, &k.dims),
        Kernel::MapReduce(k) => {
            assert!(k.program.leaves.iter().all(|l| l.source != Source::Output), "{step:?}");
            (&k.program.leaves, &k.dims)
        }
        _ => {
            assert_eq!(step.reads.len(), operands(step), "{step:?}");
            return;
        }
    };
    let distinct: HashSet<BufferId> = step.reads.iter().copied().collect();
    assert_eq!(distinct.len(), step.reads.len(), "{step:?}");
    assert!(step.reads.len() <= MAX_MAP_READS, "{step:?}");
    for leaf in leaves {
        match leaf.source {
            Source::Read(i) => assert!(i < step.reads.len(), "{step:?}"),
            Source::Output => assert!(leaf.view.is_identity(dims), "{step:?}"),
            Source::Ones => {}
        }
    }
}

fn operands(step: &Step) -> usize {
    match step.kernel {
        Kernel::WindowArgmax(_) | Kernel::WindowSum(_) | Kernel::WindowSpread(_) => 1,
        Kernel::Conv2dSum(_) | Kernel::Conv2dGradInputSum(_) => 4,
        _ => 2,
    }
}
