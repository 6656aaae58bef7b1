//! Sums give up what all their terms share, and a norm's deviations are evaluated where they are read.

use gia_gpu::{
    plan::{Plan, PlanOptions, kernel::Kernel},
    tape::{Tape, Var},
};

use super::{
    equivalence::{PLAIN, check},
    random_graph::Graph,
};

/// Checks what is kept against the interpreter, and counts its maps of all elements of x and its reductions.
fn steps(name: &str, shape: &[usize], build: impl Fn(&mut Tape, Var, Var) -> Vec<Var>) -> [usize; 2] {
    let mut tape = Tape::new();
    let mut small = shape.to_vec();
    *small.last_mut().unwrap() = 1;
    let (x, s) = (tape.input(shape), tape.input(&small));
    let keep = build(&mut tape, x, s);
    let value = |i: usize, j: usize| ((i * 7 + j) as f64 * 0.83).sin();
    let inputs = [x, s].into_iter().enumerate();
    let inputs = inputs.map(|(i, v)| (v, (0..tape.len_of(v)).map(|j| value(i, j)).collect())).collect();
    let len = tape.len_of(x);
    let graph = Graph { tape, inputs, keep, updates: vec![] };
    check(name, &graph, PlanOptions::default());
    check(name, &graph, PLAIN);
    let plan = Plan::new(&graph.tape, &graph.keep, &[]);
    let count = |wanted: fn(&Kernel, usize) -> bool| {
        plan.steps.iter().filter(|step| wanted(&step.kernel, len)).count()
    };
    [
        count(|kernel, len| matches!(kernel, Kernel::Map(map) if map.dims.iter().product::<usize>() == len)),
        count(|kernel, _| matches!(kernel, Kernel::MapReduce(_))),
    ]
}

#[test]
fn a_factor_of_all_terms_leaves_the_sum() {
    let [_, reductions] = steps("s·x, −x, 2·x and x", &[2, 5, 300], |t, x, s| {
        let (scaled, negated, doubled) = (t.mul(x, s), t.neg(x), t.add(x, x));
        [scaled, negated, doubled, x].map(|terms| t.sum(terms, &[2])).to_vec()
    });
    assert_eq!(reductions, 1);
}

#[test]
fn a_factor_that_changes_along_the_sum_stays_in_it() {
    let [_, reductions] = steps("s·x over s's axis", &[2, 5, 300], |t, x, s| {
        let scaled = t.mul(x, s);
        [scaled, x].map(|terms| t.sum(terms, &[1])).to_vec()
    });
    assert_eq!(reductions, 2);
}

#[test]
fn deviations_from_their_own_mean_add_up_to_nothing() {
    // Over another axis it is a sum like any other, of deviations that need the mean.
    for (axis, expected) in [(2, 0), (1, 2)] {
        let [_, reductions] =
            steps(&format!("Σ (x − mean x) over axis {axis}"), &[2, 5, 300], |t, x, _| {
                let mean = t.mean(x, &[2]);
                let centred = t.sub(x, mean);
                vec![t.sum(centred, &[axis])]
            });
        assert_eq!(reductions, expected, "axis {axis}");
    }
}

#[test]
fn deviations_are_not_stored() {
    let [maps, reductions] = steps("(x − mean)/√variance", &[2, 16, 1024], |t, x, s| {
        let mean = t.mean(x, &[2]);
        let centred = t.sub(x, mean);
        let square = t.mul(centred, centred);
        let variance = t.mean(square, &[2]);
        let variance = t.add_scalar(variance, 1e-5);
        let inverse = t.rsqrt(variance);
        let scale = t.mul(inverse, s);
        vec![t.mul(centred, scale)]
    });
    assert_eq!([maps, reductions], [1, 2]);
}
