//! Random graphs: whatever the planner does to them, every replay computes what the tape says.

use std::collections::HashMap;

use gia_gpu::{
    device::cpu::{Cpu, CpuExecutable},
    plan::{Plan, PlanOptions},
    tape::Var,
};

use super::{
    interpreter::evaluate,
    random_graph::{Graph, graph},
};

/// Largest error allowed, relative to the largest element of the tensor or to 1.
const TOLERANCE: f64 = 1e-12;
const REPLAYS: usize = 3;

pub(crate) const PLAIN: PlanOptions = PlanOptions {
    fuse: false,
    share_buffers: false,
    prologue: false,
    schedule: false,
    merge_sums: false,
    turn_weights: false,
};

/// Replays the plan a few times. Before each, the interpreter starts from the state that the device
/// holds, so an error shows in the replay that makes it.
pub(crate) fn check(name: &str, graph: &Graph, options: PlanOptions) {
    let Graph { tape, inputs, keep, updates } = graph;
    let plan = Plan::with_options(tape, keep, updates, options);
    let mut exe = Cpu::<f64>::new().compile_typed(&plan).unwrap_or_else(|e| panic!("{name}: {e}"));
    for (var, values) in inputs {
        exe.write_typed(*var, values).unwrap();
    }
    for replay in 0..REPLAYS {
        let before: HashMap<Var, Vec<f64>> =
            inputs.iter().map(|(v, _)| (*v, exe.read_typed(*v).unwrap())).collect();
        let values = evaluate(tape, &before);
        exe.run(1).unwrap();

        let is_state = |v: &Var| updates.iter().any(|(s, _)| s == v);
        for &var in keep.iter().filter(|v| !is_state(v)) {
            assert_equal(&format!("{name}, replay {replay}, kept {var:?}"), &exe, var, &values[var.index()]);
        }
        for (state, value) in updates {
            let what = format!("{name}, replay {replay}, state {state:?} ← {value:?}");
            assert_equal(&what, &exe, *state, &values[value.index()]);
        }
        for (var, values) in inputs.iter().filter(|(v, _)| !is_state(v)) {
            assert_eq!(exe.read_typed(*var).unwrap(), *values, "{name}: input {var:?} was written to");
        }
    }
}

fn assert_equal(what: &str, exe: &CpuExecutable<f64>, var: Var, expected: &[f64]) {
    let found = exe.read_typed(var).unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= TOLERANCE * scale, "{what}, element {i}: {f} for {e}");
    }
}

#[test]
fn random_graphs_compute_what_their_tape_says() {
    for seed in 0..400 {
        check(&format!("seed {seed}"), &graph(seed), PlanOptions::default());
    }
}

#[test]
fn random_graphs_without_fusion_or_shared_buffers_compute_what_their_tape_says() {
    for seed in 0..400 {
        check(&format!("seed {seed}"), &graph(seed), PLAIN);
    }
}
