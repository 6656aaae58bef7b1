//! What depends on no state runs once after its inputs were written, and changes nothing.

use std::collections::{HashMap, HashSet};

use gia_gpu::{
    device::cpu::{Cpu, CpuExecutable},
    plan::{
        Plan, PlanOptions,
        kernel::{BufferId, Kernel, Step},
    },
    tape::{Tape, Var},
};

use super::random_graph::{Graph, graph};

const SEEDS: u64 = 400;

fn compiled(graph: &Graph, options: PlanOptions) -> (Plan, CpuExecutable<f64>) {
    let plan = Plan::with_options(&graph.tape, &graph.keep, &graph.updates, options);
    let exe = Cpu::<f64>::new().compile_typed(&plan).unwrap();
    (plan, exe)
}

/// Bits of every input, state and kept output.
fn bits(graph: &Graph, exe: &CpuExecutable<f64>) -> HashMap<Var, Vec<u64>> {
    let vars = graph.inputs.iter().map(|(v, _)| *v).chain(graph.keep.iter().copied());
    vars.map(|v| (v, exe.read_typed(v).unwrap().iter().map(|x| x.to_bits()).collect())).collect()
}

#[test]
fn replays_with_and_without_a_prologue_agree_bit_for_bit_and_after_every_write() {
    let mut hoisted = 0;
    for seed in 0..SEEDS {
        let g = graph(seed);
        let without = PlanOptions { prologue: false, ..PlanOptions::default() };
        let ((plan, mut early), (_, mut each)) =
            (compiled(&g, PlanOptions::default()), compiled(&g, without));
        hoisted += plan.prologue;
        for (var, values) in &g.inputs {
            early.write_typed(*var, values).unwrap();
            each.write_typed(*var, values).unwrap();
        }
        for round in 0..4 {
            early.run(2).unwrap();
            each.run(2).unwrap();
            assert!(bits(&g, &early) == bits(&g, &each), "seed {seed}, round {round}");
            // One input changes between two runs, each in turn.
            let (var, values) = &g.inputs[round % g.inputs.len()];
            let changed: Vec<f64> = values.iter().rev().copied().collect();
            early.write_typed(*var, &changed).unwrap();
            each.write_typed(*var, &changed).unwrap();
        }
    }
    assert!(hoisted > SEEDS as usize, "only {hoisted} steps were hoisted");
}

/// Buffers of states, and those that a step of the iteration writes.
fn changing(plan: &Plan, updates: &[(Var, Var)]) -> HashSet<BufferId> {
    let states = updates.iter().map(|(state, _)| plan.bound[state].0);
    states.chain(plan.steps[plan.prologue..].iter().map(|s| s.write)).collect()
}

#[test]
fn no_step_of_an_iteration_writes_over_what_the_prologue_made_for_it() {
    for seed in 0..SEEDS {
        let g = graph(seed);
        let plan = Plan::new(&g.tape, &g.keep, &g.updates);
        let (prologue, body) = plan.steps.split_at(plan.prologue);
        let made: HashSet<BufferId> = prologue.iter().map(|s| s.write).collect();
        let mut written: HashSet<BufferId> = HashSet::new();
        let mut from_prologue: HashSet<BufferId> = HashSet::new();
        for step in body {
            from_prologue.extend(step.reads.iter().filter(|b| made.contains(b) && !written.contains(b)));
            written.insert(step.write);
        }
        assert!(from_prologue.is_disjoint(&written), "seed {seed}");
        let changing = changing(&plan, &g.updates);
        assert!(plan.prologue_reads().is_disjoint(&changing), "seed {seed}: the prologue reads what changes");
    }
}

/// `s ← s + Σ a²·b`, and a counter of nothing else.
fn sum_of_squares(len: usize) -> (Tape, [Var; 3], (Var, Var)) {
    let mut t = Tape::new();
    let [a, b] = [(); 2].map(|()| t.input(&[len]));
    let s = t.input(&[1]);
    let square = t.mul(a, a);
    let product = t.mul(square, b);
    let sum = t.sum(product, &[0]);
    let next = t.add(s, sum);
    (t, [a, b, s], (s, next))
}

#[test]
fn the_prologue_runs_once_after_a_write_and_not_in_every_iteration() {
    let (tape, [a, b, s], update) = sum_of_squares(100);
    let plan = Plan::new(&tape, &[], &[update]);
    let is_sum = |step: &Step| matches!(step.kernel, Kernel::MapReduce(_));
    assert!(plan.steps[..plan.prologue].iter().any(is_sum), "{}", plan.dump());
    assert!(!plan.steps[plan.prologue..].iter().any(is_sum), "{}", plan.dump());

    let mut exe = Cpu::<f64>::new().compile_typed(&plan).unwrap();
    let mut expected = 0.0;
    for (x, y) in [(1.0, 2.0), (3.0, 2.0), (3.0, -1.0)] {
        exe.write_typed(a, &[x; 100]).unwrap();
        exe.write_typed(b, &[y; 100]).unwrap();
        for _ in 0..3 {
            exe.run(2).unwrap();
            expected += 2.0 * 100.0 * x * x * y;
            assert_eq!(exe.read_typed(s).unwrap(), [expected]);
        }
        // Writing the state does not bring the prologue back; its results stay.
        exe.write_typed(s, &[0.5]).unwrap();
        exe.run(1).unwrap();
        assert_eq!(exe.read_typed(s).unwrap(), [0.5 + 100.0 * x * x * y]);
        exe.write_typed(s, &[expected]).unwrap();
    }
}

#[test]
fn a_large_result_that_is_as_fast_to_compute_as_to_read_is_not_kept() {
    let mut t = Tape::new();
    let len = 1 << 20;
    let (a, s) = (t.input(&[len]), t.input(&[len]));
    let double = t.mul(a, a);
    let flipped = t.flip(double, &[0]);
    let other = t.mul(flipped, double);
    let used = t.mul(other, s);
    let next = t.sub(used, other);
    let plan = Plan::new(&t, &[], &[(s, next)]);
    assert_eq!(plan.prologue, 0, "{}", plan.dump());
}

#[test]
fn an_evaluation_repeats_only_what_its_varying_inputs_change() {
    let mut t = Tape::new();
    let [x, y] = [(); 2].map(|()| t.input(&[1000]));
    let squares = t.mul(y, y);
    let norm = t.sum(squares, &[0]);
    let product = t.mul(x, norm);
    let plan = Plan::evaluation(&t, &[product], &[x]);
    assert_eq!(plan.prologue, 1, "{}", plan.dump());
    let mut exe = Cpu::<f64>::new().compile_typed(&plan).unwrap();
    for (scale, value) in [(1.0, 2.0), (1.0, 3.0), (2.0, 3.0)] {
        exe.write_typed(y, &[scale; 1000]).unwrap();
        exe.write_typed(x, &[value; 1000]).unwrap();
        exe.run(1).unwrap();
        assert_eq!(exe.read_typed(product).unwrap(), [1000.0 * scale * scale * value; 1000]);
    }
    // Without a word on what varies, everything may.
    assert_eq!(Plan::new(&t, &[product], &[]).prologue, 0);
}

/// `s ← s·b`, and the transposed product of the same matrix. A matrix that no iteration changes is brought into the order of a
/// product once after it was written; as a state, which keeps its values, it is not.
#[test]
fn a_matrix_that_stays_is_packed_once_and_again_after_a_write() {
    let build = |stays: bool| {
        let mut t = Tape::new();
        let [s, b] = [[1, 70, 300], [1, 300, 300]].map(|shape| t.input(&shape));
        let turned = t.permute(b, &[0, 2, 1]);
        let once = t.matmul(s, b);
        let next = t.matmul(once, turned);
        let mut updates = vec![(s, next)];
        if !stays {
            updates.push((b, t.mul_scalar(b, 1.0)));
        }
        let plan = Plan::new(&t, &[], &updates);
        (Cpu::<f64>::new().compile_typed(&plan).unwrap(), s, b)
    };
    let ([(mut kept, s, b), (mut moved, ..)], values) =
        ([true, false].map(build), |n: usize, seed: usize| {
            (0..n).map(|i| ((i * 37 + seed * 11) % 101) as f64 / 5000.0 - 0.01).collect::<Vec<f64>>()
        });
    for round in 0..3 {
        for exe in [&mut kept, &mut moved] {
            exe.write_typed(s, &values(70 * 300, round)).unwrap();
            exe.write_typed(b, &values(300 * 300, 5 * round)).unwrap();
            exe.run(3).unwrap();
        }
        let [kept, moved] = [&kept, &moved].map(|exe| exe.read_typed(s).unwrap());
        assert!(kept.iter().any(|&x| x != 0.0));
        assert!(kept.iter().zip(&moved).all(|(a, b)| a.to_bits() == b.to_bits()), "round {round}");
    }
}
