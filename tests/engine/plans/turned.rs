//! Gradients by x whose weights stay the same are convolutions with weights that were turned round once.

use gia_gpu::{
    device::cpu::{Cpu, CpuExecutable},
    plan::{
        Plan, PlanOptions,
        kernel::{Kernel, Step},
    },
    random,
    tape::{Tape, Var, spec::ConvSpec},
};

const TRIALS: usize = 2;

const PLAIN: ConvSpec = ConvSpec {
    batch: 1,
    channels: 72,
    outputs: 96,
    size: [3, 2],
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
};

/// Stride 1, one group, at least 4096 weights a position.
fn turned() -> Vec<ConvSpec> {
    vec![
        PLAIN,
        ConvSpec { padding: [0, 0], size: [4, 5], ..PLAIN },
        ConvSpec { padding: [2, 1], size: [1, 3], ..PLAIN },
        ConvSpec { batch: 2, size: [2, 2], ..PLAIN },
        ConvSpec { kernel: [5, 2], padding: [2, 1], ..PLAIN },
        ConvSpec { dilation: [2, 1], padding: [1, 1], size: [4, 2], ..PLAIN },
        ConvSpec { kernel: [1, 1], padding: [0, 0], channels: 128, outputs: 160, size: [2, 2], ..PLAIN },
    ]
}

/// Whose weights change.
#[derive(Clone, Copy, PartialEq)]
enum Weights {
    Constant,
    /// One tensor for all trials.
    Shared,
    Changing,
}

struct Case {
    tape: Tape,
    /// A state, the weights.
    inputs: [Var; 2],
    /// Gradients by x at the state and at its square.
    gradients: Vec<Var>,
    updates: Vec<(Var, Var)>,
}

fn case(spec: ConvSpec, weights: Weights) -> Case {
    let mut t = Tape::new();
    let state = t.input(&spec.output_shape(TRIALS));
    let stored = t.input(&spec.weight_shape(if weights == Weights::Shared { 1 } else { TRIALS }));
    let w = t.broadcast_to(stored, &spec.weight_shape(TRIALS));
    let square = t.mul(state, state);
    let gradients = [state, square].map(|g| t.conv2d_grad_input(g, w, spec)).to_vec();
    let mut smaller = |v: Var| {
        let shape = t.shape(v).to_vec();
        let factor = t.full(&shape, 0.5);
        (v, t.mul(v, factor))
    };
    let mut updates = vec![smaller(state)];
    if weights == Weights::Changing {
        updates.push(smaller(stored));
    }
    Case { tape: t, inputs: [state, stored], gradients, updates }
}

fn plan(case: &Case, turn_weights: bool) -> Plan {
    let options = PlanOptions { turn_weights, ..PlanOptions::default() };
    Plan::with_options(&case.tape, &case.gradients, &case.updates, options)
}

fn write(case: &Case, exe: &mut CpuExecutable<f64>, seed: u64) {
    for (i, &v) in case.inputs.iter().enumerate() {
        let mut generator = random::generator(seed, ["state", "weights"][i]);
        let values: Vec<f64> =
            random::normal(&mut generator, case.tape.len_of(v)).into_iter().map(f64::from).collect();
        exe.write_typed(v, &values).unwrap();
    }
}

fn gradients_by_x(plan: &Plan) -> usize {
    plan.steps.iter().filter(|s| matches!(s.kernel, Kernel::Conv2dGradInput(_))).count()
}

#[test]
fn turned_weights_give_the_same_gradients_in_every_iteration_and_after_every_write() {
    for spec in turned() {
        for weights in [Weights::Constant, Weights::Shared] {
            let case = case(spec, weights);
            let (turned, left) = (plan(&case, true), plan(&case, false));
            assert_eq!((gradients_by_x(&turned), gradients_by_x(&left)), (0, 2), "{}", turned.dump());
            let [mut found, mut expected] =
                [&turned, &left].map(|plan| Cpu::<f64>::new().compile_typed(plan).unwrap());
            for seed in 0..2 {
                [&mut found, &mut expected].into_iter().for_each(|exe| write(&case, exe, seed));
                for iteration in 0..2 {
                    found.run(1).unwrap();
                    expected.run(1).unwrap();
                    for &gradient in &case.gradients {
                        let [found, expected] = [&found, &expected].map(|e| e.read_typed(gradient).unwrap());
                        assert!(expected.iter().any(|x| x.abs() > 0.1));
                        for (f, e) in found.iter().zip(&expected) {
                            assert!((f - e).abs() < 1e-10, "{spec:?} {iteration}: {f} for {e}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn weights_are_turned_once_before_the_first_iteration_and_once_for_all_trials() {
    for (weights, trials) in [(Weights::Constant, TRIALS), (Weights::Shared, 1)] {
        let plan = plan(&case(PLAIN, weights), true);
        let len = trials * PLAIN.weight_len();
        let turns = |s: &&Step| matches!(s.kernel, Kernel::Map(_)) && s.kernel.output_len() == len;
        let (prologue, iteration) = plan.steps.split_at(plan.prologue);
        assert_eq!(prologue.iter().filter(turns).count(), 1, "{}", plan.dump());
        assert_eq!(iteration.iter().filter(turns).count(), 0, "{}", plan.dump());
    }
}

#[test]
fn gradients_that_would_not_gain_are_left_as_they_are() {
    let left = |spec, weights| {
        let plan = plan(&case(spec, weights), true);
        assert_eq!(gradients_by_x(&plan), 2, "{}", plan.dump());
    };
    left(PLAIN, Weights::Changing);
    for spec in [
        ConvSpec { stride: [2, 2], ..PLAIN },
        ConvSpec { groups: 2, channels: 144, ..PLAIN },
        // Padding beyond the kernel's reach would be a crop.
        ConvSpec { kernel: [1, 1], padding: [1, 0], channels: 256, outputs: 256, ..PLAIN },
        // Fewer weights a position.
        ConvSpec { size: [8, 8], ..PLAIN },
    ] {
        left(spec, Weights::Constant);
    }
}
