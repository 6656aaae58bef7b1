//! One check for all: analytic against central differences.

use gia_gpu::{
    device::cpu::Cpu,
    plan::Plan,
    random,
    tape::{Tape, Var},
};
use rand_chacha::ChaCha8Rng;

/// Values of `keep`, given values of inputs.
pub(crate) fn evaluate(tape: &Tape, keep: &[Var], inputs: &[(Var, Vec<f64>)]) -> Vec<Vec<f64>> {
    let plan = Plan::new(tape, keep, &[]);
    let mut exe = Cpu::<f64>::new().compile_typed(&plan).unwrap();
    inputs.iter().for_each(|(v, data)| exe.write_typed(*v, data).unwrap());
    exe.run(1).unwrap();
    keep.iter().map(|&v| exe.read_typed(v).unwrap()).collect()
}

fn normal(rng: &mut ChaCha8Rng, len: usize) -> Vec<f64> {
    random::normal(rng, len).into_iter().map(f64::from).collect()
}

/// Checks orders 1 and 2 of `f` at a random point, moved away from kinks by `place`.
pub(crate) fn check_placed(
    name: &str,
    shapes: &[&[usize]],
    place: impl Fn(f64) -> f64,
    f: impl Fn(&mut Tape, &[Var]) -> Var,
) {
    let mut rng = random::generator(7, name);
    let mut tape = Tape::new();
    let xs: Vec<Var> = shapes.iter().map(|s| tape.input(s)).collect();
    let y = f(&mut tape, &xs);
    let shape = tape.shape(y).to_vec();
    let weights = normal(&mut rng, shape.iter().product());
    let weights = tape.literal(&shape, weights);
    let directions: Vec<Vec<f64>> = xs.iter().map(|&x| normal(&mut rng, tape.len_of(x))).collect();
    let directions_2: Vec<Var> = xs
        .iter()
        .map(|&x| {
            let d = normal(&mut rng, tape.len_of(x));
            let shape = tape.shape(x).to_vec();
            tape.literal(&shape, d)
        })
        .collect();
    let total = |tape: &mut Tape, v: Var| {
        let axes: Vec<_> = (0..tape.shape(v).len()).collect();
        let s = tape.sum(v, &axes);
        tape.reshape(s, &[1])
    };

    let product = tape.mul(y, weights);
    let value = total(&mut tape, product);
    let first = tape.grad(value, &xs);
    // ∂φ·d', differentiated once more.
    let mut slope = tape.full(&[1], 0.0);
    for (&g, &d) in first.iter().zip(&directions_2) {
        let product = tape.mul(g, d);
        let part = total(&mut tape, product);
        slope = tape.add(slope, part);
    }
    let second = tape.grad(slope, &xs);

    let point: Vec<Vec<f64>> =
        xs.iter().map(|&x| normal(&mut rng, tape.len_of(x)).into_iter().map(&place).collect()).collect();
    let along = |h: f64| -> Vec<(Var, Vec<f64>)> {
        let moved = point
            .iter()
            .zip(&directions)
            .map(|(p, d)| p.iter().zip(d).map(|(p, d)| p + h * d).collect::<Vec<f64>>());
        xs.iter().copied().zip(moved).collect()
    };
    let keep: Vec<Var> = first.iter().chain(&second).copied().collect();
    let grads = evaluate(&tape, &keep, &along(0.0));
    let dot = |gs: &[Vec<f64>]| -> f64 {
        gs.iter().zip(&directions).map(|(g, d)| g.iter().zip(d).map(|(g, d)| g * d).sum::<f64>()).sum()
    };
    let h = 1e-5;
    let (up, down) =
        (evaluate(&tape, &[value, slope], &along(h)), evaluate(&tape, &[value, slope], &along(-h)));
    for (order, analytic, at) in [(1, dot(&grads[..xs.len()]), 0), (2, dot(&grads[xs.len()..]), 1)] {
        let numeric = (up[at][0] - down[at][0]) / (2.0 * h);
        // Truncation h²·f''' and cancellation ε/h are both near 1e-10 here, times the scale of the values.
        let scale = 1.0 + analytic.abs() + up[at][0].abs();
        assert!(
            (analytic - numeric).abs() < 1e-7 * scale,
            "{name}, order {order}: derivative {analytic}, difference {numeric}"
        );
    }
}

pub(crate) fn check(name: &str, shapes: &[&[usize]], f: impl Fn(&mut Tape, &[Var]) -> Var) {
    check_placed(name, shapes, |x| x, f);
}
