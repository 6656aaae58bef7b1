//! State that lives on the device for many iterations.

use gia_gpu::{
    device::cpu::Cpu,
    plan::{Plan, PlanOptions},
    random,
    tape::{Tape, Var},
};

use super::equivalence::PLAIN;

const N: usize = 7;
const RATE: f64 = 0.05;
const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// Adam on Σ d·tanh(d) with d = x − target. Everything that it remembers is a state.
struct Adam {
    tape: Tape,
    target: Var,
    loss: Var,
    /// x, the two moments, the best x, its loss, the number of steps; and their next values.
    updates: Vec<(Var, Var)>,
}

fn adam() -> Adam {
    let mut t = Tape::new();
    let [x, m, v, best, target] = [[N]; 5].map(|shape| t.input(&shape));
    let [lowest, step] = [[1]; 2].map(|shape| t.input(&shape));

    let d = t.sub(x, target);
    let soft = t.tanh(d);
    let product = t.mul(d, soft);
    let loss = t.sum(product, &[0]);
    let g = t.grad(loss, &[x])[0];

    let square = t.mul(g, g);
    let [m_next, v_next] = [(m, g, BETA[0]), (v, square, BETA[1])].map(|(old, new, beta)| {
        let (old, new) = (t.mul_scalar(old, beta), t.mul_scalar(new, 1.0 - beta));
        t.add(old, new)
    });
    let step_next = t.add_scalar(step, 1.0);
    let [m_hat, v_hat] = [(m_next, BETA[0]), (v_next, BETA[1])].map(|(moment, beta)| {
        let exponent = t.mul_scalar(step_next, beta.ln());
        let (power, one) = (t.exp(exponent), t.scalar(1.0));
        let rest = t.sub(one, power);
        t.div(moment, rest)
    });
    let root = t.sqrt(v_hat);
    let root = t.add_scalar(root, EPSILON);
    let direction = t.div(m_hat, root);
    let change = t.mul_scalar(direction, RATE);
    let x_next = t.sub(x, change);

    let better = t.less(loss, lowest);
    let best_next = t.select(better, x, best);
    let lowest_next = t.select(better, loss, lowest);
    let updates = vec![
        (x, x_next),
        (m, m_next),
        (v, v_next),
        (best, best_next),
        (lowest, lowest_next),
        (step, step_next),
    ];
    Adam { tape: t, target, loss, updates }
}

/// The same on the host, in place.
fn host_step(states: &mut [Vec<f64>], target: &[f64]) -> f64 {
    let [x, m, v, best, lowest, step] = states else { panic!("six states") };
    let d: Vec<f64> = x.iter().zip(target).map(|(x, t)| x - t).collect();
    let loss = d.iter().map(|d| d * d.tanh()).sum();
    if loss < lowest[0] {
        lowest[0] = loss;
        best.clone_from(x);
    }
    step[0] += 1.0;
    let rest = BETA.map(|beta| 1.0 - beta.powi(step[0] as i32));
    for i in 0..N {
        let soft = d[i].tanh();
        let g = soft + d[i] * (1.0 - soft * soft);
        m[i] = BETA[0] * m[i] + (1.0 - BETA[0]) * g;
        v[i] = BETA[1] * v[i] + (1.0 - BETA[1]) * g * g;
        x[i] -= RATE * (m[i] / rest[0]) / ((v[i] / rest[1]).sqrt() + EPSILON);
    }
    loss
}

fn check_thousand_replays(options: PlanOptions) {
    let Adam { tape, target, loss, updates } = adam();
    let mut generator = random::generator(5, "replay");
    let mut draw = || random::normal(&mut generator, N).into_iter().map(f64::from).collect::<Vec<f64>>();
    let goal = draw();
    let mut states = vec![draw(), vec![0.0; N], vec![0.0; N], vec![0.0; N], vec![1e30], vec![0.0]];

    let plan = Plan::with_options(&tape, &[loss], &updates, options);
    let mut exe = Cpu::<f64>::new().compile_typed(&plan).unwrap();
    exe.write_typed(target, &goal).unwrap();
    for ((state, _), values) in updates.iter().zip(&states) {
        exe.write_typed(*state, values).unwrap();
    }
    let (mut done, mut first, mut last) = (0, None, 0.0);
    for until in [1, 2, 10, 100, 999, 1000] {
        exe.run(until - done).unwrap();
        for _ in done..until {
            last = host_step(&mut states, &goal);
            first.get_or_insert(last);
        }
        done = until;
        let on_device = updates.iter().map(|u| u.0).chain([loss]).map(|v| exe.read_typed(v).unwrap());
        for (i, (found, expected)) in on_device.zip(states.iter().chain([&vec![last]])).enumerate() {
            for (f, e) in found.iter().zip(expected) {
                assert!(
                    (f - e).abs() <= 1e-12 * e.abs().max(1.0),
                    "value {i} after {until} steps: {f} for {e}"
                );
            }
        }
    }
    assert!(last < 1e-3 * first.unwrap(), "Adam went from {first:?} to {last}");
}

#[test]
fn a_thousand_replays_of_adam_equal_a_loop_on_the_host() {
    check_thousand_replays(PlanOptions::default());
}

#[test]
fn a_thousand_replays_of_adam_without_fusion_or_shared_buffers_equal_a_loop_on_the_host() {
    check_thousand_replays(PLAIN);
}
