//! Large maps that take over an operand's buffer.

use gia_gpu::{
    device::cpu::Cpu,
    plan::{
        Plan,
        kernel::{Kernel, Source},
    },
    tape::{Tape, Var},
};

use super::{liveness::check_step, random_graph::graph};

const LEN: usize = 1 << 17;

/// A chain of sums and maps over long vectors: every sum makes a map be stored.
fn chain() -> (Tape, [Var; 2], Var) {
    let mut t = Tape::new();
    let [x, s] = [(); 2].map(|()| t.input(&[LEN]));
    let mut value = x;
    for i in 0..4 {
        let scaled = t.mul(value, s);
        let next = t.tanh(scaled);
        let sum = t.sum(next, &[0]);
        let mean = t.mul_scalar(sum, 1.0 / LEN as f64);
        let shifted = t.sub(next, mean);
        value = if i == 2 { t.flip(shifted, &[0]) } else { shifted };
    }
    let next = t.add(value, s);
    (t, [x, s], next)
}

fn in_place(plan: &Plan) -> usize {
    let updates = |kernel: &Kernel| match kernel {
        Kernel::Map(k) => k.program.leaves.iter().any(|l| l.source == Source::Output),
        _ => false,
    };
    plan.steps.iter().filter(|s| updates(&s.kernel)).count()
}

#[test]
fn a_map_takes_over_the_operand_that_dies_with_it_and_the_bits_stay() {
    let (tape, [x, s], next) = chain();
    let plan = Plan::new(&tape, &[next], &[(s, next)]);
    let rewritten = plan.in_place();
    assert!(in_place(&rewritten) > in_place(&plan) + 1, "{}", rewritten.dump());
    assert!(rewritten.totals().memory <= plan.totals().memory);
    rewritten.steps.iter().for_each(check_step);

    let values: Vec<f32> = (0..LEN).map(|i| (i % 97) as f32 * 0.02 - 1.0).collect();
    // A buffer that is bound keeps what it holds: with all of them bound, no map takes one over.
    let apart = |v: Var| {
        let mut bound = plan.clone();
        for (i, &len) in plan.buffers.iter().enumerate() {
            bound.bound.insert(Var::from_index(1000 + i), (i, len));
        }
        let mut exe = Cpu::<f32>::new().compile_typed(&bound).unwrap();
        exe.write_typed(x, &values).unwrap();
        exe.write_typed(s, &values).unwrap();
        exe.run(3).unwrap();
        exe.read_typed(v).unwrap()
    };
    let mut exe = Cpu::<f32>::new().compile_typed(&plan).unwrap();
    exe.write_typed(x, &values).unwrap();
    exe.write_typed(s, &values).unwrap();
    exe.run(3).unwrap();
    for v in [s, next] {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert!(bits(exe.read_typed(v).unwrap()) == bits(apart(v)), "{v:?}");
    }
}

#[test]
fn small_tensors_stay_where_they_are() {
    for seed in 0..100 {
        let g = graph(seed);
        let plan = Plan::new(&g.tape, &g.keep, &g.updates);
        assert_eq!(in_place(&plan.in_place()), in_place(&plan), "seed {seed}");
    }
}
