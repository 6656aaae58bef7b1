//! The order of the steps: every step after those that it needs, and never more memory than in the tape's order.

use std::collections::HashMap;

use gia_gpu::plan::{Plan, PlanOptions, kernel::BufferId};

use super::{
    equivalence::check,
    random_graph::{Graph, graph},
};

const SEEDS: u64 = 400;

/// Most elements that live at a time in buffers that nobody outside binds, buffers being apart.
fn peak(g: &Graph, options: PlanOptions) -> usize {
    let options = PlanOptions { share_buffers: false, ..options };
    let plan = Plan::with_options(&g.tape, &g.keep, &g.updates, options);
    let bound: Vec<BufferId> = plan.bound.values().map(|b| b.0).collect();
    let mut last: HashMap<BufferId, usize> = HashMap::new();
    for (i, step) in plan.steps.iter().enumerate() {
        last.insert(step.write, i);
        step.reads.iter().for_each(|&b| _ = last.insert(b, i));
    }
    let (mut live, mut most) = (0, 0);
    for (i, step) in plan.steps.iter().enumerate() {
        let own = |b: &BufferId| !bound.contains(b) && !plan.literals.iter().any(|l| l.0 == *b);
        if own(&step.write) {
            live += plan.buffers[step.write];
        }
        most = most.max(live);
        let mut ends: Vec<BufferId> = step.reads.iter().chain([&step.write]).copied().collect();
        ends.sort_unstable();
        ends.dedup();
        ends.retain(|b| own(b) && last[b] == i);
        live -= ends.iter().map(|&b| plan.buffers[b]).sum::<usize>();
    }
    assert_eq!(live, 0);
    most
}

#[test]
fn no_order_needs_more_memory_than_the_tapes_and_many_need_less() {
    let (mut before, mut after, mut better) = (0, 0, 0);
    for seed in 0..SEEDS {
        let g = graph(seed);
        // Hoisting lengthens lives; here it is the order alone that counts.
        let options = PlanOptions { prologue: false, ..PlanOptions::default() };
        let tape = peak(&g, PlanOptions { schedule: false, ..options });
        let ordered = peak(&g, options);
        // A new state sinks behind the last reader of the old one after the order is chosen.
        before += tape;
        after += ordered;
        better += usize::from(ordered < tape);
    }
    assert!(after * 20 < before * 19, "{after} elements ordered, {before} in the tape's order");
    assert!(better > SEEDS as usize / 6, "only {better} of {SEEDS} need less");
}

#[test]
fn random_graphs_in_the_tapes_order_compute_what_their_tape_says() {
    for seed in 0..SEEDS {
        check(
            &format!("seed {seed}"),
            &graph(seed),
            PlanOptions { schedule: false, ..PlanOptions::default() },
        );
    }
}

#[test]
fn the_same_tape_is_planned_the_same_way_every_time() {
    for seed in 0..50 {
        let g = graph(seed);
        let plan = || Plan::new(&g.tape, &g.keep, &g.updates);
        let (a, b) = (plan(), plan());
        assert_eq!(format!("{:?} {:?}", a.steps, a.buffers), format!("{:?} {:?}", b.steps, b.buffers));
    }
}

#[test]
fn buffers_take_little_more_than_what_lives() {
    let (mut shared, mut live) = (0, 0);
    for seed in 0..SEEDS {
        let g = graph(seed);
        let options = PlanOptions { prologue: false, ..PlanOptions::default() };
        let plan = Plan::with_options(&g.tape, &g.keep, &g.updates, options);
        let outside: Vec<BufferId> =
            plan.bound.values().map(|b| b.0).chain(plan.literals.iter().map(|l| l.0)).collect();
        let own = (0..plan.buffers.len()).filter(|b| !outside.contains(b));
        shared += own.map(|b| plan.buffers[b]).sum::<usize>();
        live += peak(&g, options);
    }
    assert!(shared * 10 < live * 12, "{shared} elements in buffers for {live} that live");
}
