//! Small graphs that random ones led to.

use gia_gpu::{
    plan::PlanOptions,
    tape::{Tape, Var},
};

use super::{
    equivalence::{PLAIN, check},
    random_graph::Graph,
};

/// Input `i` of shape `shapes[i]`; `build` returns kept outputs and updates.
fn check_graph(
    name: &str,
    shapes: &[&[usize]],
    build: impl Fn(&mut Tape, &[Var]) -> (Vec<Var>, Vec<(Var, Var)>),
) {
    let mut tape = Tape::new();
    let xs: Vec<Var> = shapes.iter().map(|s| tape.input(s)).collect();
    let (keep, updates) = build(&mut tape, &xs);
    let value = |i: usize, j: usize| ((i * 7 + j) as f64 * 0.83).sin();
    let inputs = xs
        .iter()
        .enumerate()
        .map(|(i, &x)| (x, (0..tape.len_of(x)).map(|j| value(i, j)).collect()))
        .collect();
    let graph = Graph { tape, inputs, keep, updates };
    check(name, &graph, PlanOptions::default());
    check(name, &graph, PLAIN);
}

#[test]
fn a_reshaped_expression_padded_to_a_length_that_its_rows_do_not_divide_is_computed_whole() {
    for padded in [7, 12] {
        for before in [0, 1] {
            check_graph("pad of a reshape", &[&[2, 3], &[padded]], |t, x| {
                let negated = t.neg(x[0]);
                let flat = t.reshape(negated, &[6]);
                let padded = t.pad(flat, &[before], &[padded]);
                (vec![padded, t.add(padded, x[1])], vec![])
            });
        }
    }
}

#[test]
fn an_output_that_simplifies_to_a_state_holds_the_value_before_the_update() {
    check_graph("kept state", &[&[4]], |t, x| {
        let same = t.mul_scalar(x[0], 1.0);
        let next = t.tanh(x[0]);
        (vec![same], vec![(x[0], next)])
    });
}

#[test]
fn a_chain_of_thousands_of_operations_is_cut_into_kernels() {
    check_graph("long chain", &[&[3]], |t, x| {
        let mut y = x[0];
        for _ in 0..3000 {
            let wave = t.tanh(y);
            y = t.add(wave, x[0]);
        }
        (vec![y], vec![])
    });
}
