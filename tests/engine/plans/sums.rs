//! Two convolutions in one sum are one step, and the sum is the same.

use gia_gpu::{
    device::cpu::{Cpu, CpuExecutable},
    plan::{Plan, PlanOptions, kernel::Kernel},
    random,
    tape::{Tape, Var, spec::ConvSpec},
};

/// A kernel's sizes: without padding, padded, strided, dilated, grouped, by single taps, and with few channels on
/// many pixels.
fn specs() -> Vec<ConvSpec> {
    let plain = ConvSpec {
        batch: 2,
        channels: 4,
        outputs: 8,
        size: [8, 16],
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    };
    vec![
        ConvSpec { size: [32, 32], ..plain },
        ConvSpec { padding: [0, 0], ..plain },
        ConvSpec { kernel: [5, 5], padding: [2, 2], stride: [2, 2], ..plain },
        ConvSpec { dilation: [2, 2], padding: [2, 1], ..plain },
        ConvSpec { groups: 2, channels: 6, ..plain },
        ConvSpec { kernel: [1, 1], padding: [0, 0], stride: [2, 2], ..plain },
        ConvSpec { channels: 67, outputs: 5, ..plain },
        // Rows that are no whole number of tiles: what the last tile computes again is added but once.
        ConvSpec { channels: 12, outputs: 12, size: [11, 23], kernel: [5, 5], padding: [2, 2], ..plain },
        ConvSpec {
            channels: 12,
            outputs: 12,
            size: [12, 22],
            kernel: [5, 5],
            padding: [2, 2],
            stride: [2, 2],
            ..plain
        },
        // By Winograd's way.
        ConvSpec { channels: 48, outputs: 40, size: [13, 18], ..plain },
    ]
}

struct Case {
    tape: Tape,
    inputs: Vec<Var>,
    sum: Var,
}

/// `conv(x,v) + bias + conv(u,w)` or the same of gradients by x; the second weights are shared by the trials.
fn case(spec: ConvSpec, transposed: bool) -> Case {
    let (trials, mut t) = (3, Tape::new());
    let input = |t: &mut Tape, shape: Vec<usize>| t.input(&shape);
    let (from, to) = match transposed {
        false => (spec.input_shape(trials), spec.output_shape(trials)),
        true => (spec.output_shape(trials), spec.input_shape(trials)),
    };
    let (x, u, bias) = (input(&mut t, from.clone()), input(&mut t, from), input(&mut t, to));
    let (v, w) = (input(&mut t, spec.weight_shape(trials)), input(&mut t, spec.weight_shape(1)));
    let shared = t.broadcast_to(w, &spec.weight_shape(trials));
    let apply = |t: &mut Tape, x, w| match transposed {
        false => t.conv2d(x, w, spec),
        true => t.conv2d_grad_input(x, w, spec),
    };
    let (first, second) = (apply(&mut t, x, v), apply(&mut t, u, shared));
    let part = t.add(first, bias);
    let sum = t.add(part, second);
    Case { tape: t, inputs: vec![x, u, bias, v, w], sum }
}

fn run<R: gia_gpu::device::cpu::Number>(case: &Case, merge_sums: bool) -> (Plan, CpuExecutable<R>) {
    let options = PlanOptions { merge_sums, ..PlanOptions::default() };
    let plan = Plan::with_options(&case.tape, &[case.sum], &[], options);
    let mut exe = Cpu::<R>::new().compile_typed(&plan).unwrap();
    for (i, &v) in case.inputs.iter().enumerate() {
        let values = random::normal(&mut random::generator(i as u64, "sums"), case.tape.len_of(v));
        let values: Vec<R> = values.into_iter().map(R::of_f32).collect();
        exe.write_typed(v, &values).unwrap();
    }
    exe.run(1).unwrap();
    (plan, exe)
}

fn is_sum(kernel: &Kernel) -> bool {
    matches!(kernel, Kernel::Conv2dSum(_) | Kernel::Conv2dGradInputSum(_))
}

#[test]
fn merged_convolutions_equal_separate_ones() {
    for spec in specs() {
        for transposed in [false, true] {
            let case = case(spec, transposed);
            let (merged, exe) = run::<f64>(&case, true);
            let (apart, expected) = run::<f64>(&case, false);
            assert_eq!(merged.steps.iter().filter(|s| is_sum(&s.kernel)).count(), 1, "{}", merged.dump());
            assert!(!apart.steps.iter().any(|s| is_sum(&s.kernel)));
            assert_eq!((merged.sums_of_convolutions(), apart.sums_of_convolutions()), ([1, 0], [0, 1]));
            assert!(merged.steps.len() < apart.steps.len());
            assert_eq!(merged.totals().contraction_flops, apart.totals().contraction_flops);
            let (exe, expected) = (exe.read_typed(case.sum).unwrap(), expected.read_typed(case.sum).unwrap());
            for (i, (found, expected)) in exe.iter().zip(&expected).enumerate() {
                assert!(
                    (found - expected).abs() < 1e-11,
                    "{spec:?} {transposed} {i}: {found} for {expected}"
                );
            }
        }
    }
}

/// √K-scaled: `f32` against `f64`, over two contractions of length K.
#[test]
fn merged_convolutions_in_single_precision_stay_within_the_bound_of_their_length() {
    for spec in specs() {
        for transposed in [false, true] {
            let case = case(spec, transposed);
            let found = run::<f32>(&case, true).1.read_typed(case.sum).unwrap();
            let expected = run::<f64>(&case, false).1.read_typed(case.sum).unwrap();
            let products = 2 * spec.kernel[0] * spec.kernel[1] * spec.channels.max(spec.outputs);
            let bound = 8.0 * f64::from(f32::EPSILON) * products as f64;
            for (found, expected) in found.iter().zip(&expected) {
                assert!((f64::from(*found) - expected).abs() < bound, "{spec:?}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn a_plan_with_its_sums_taken_apart_computes_the_same() {
    for spec in specs() {
        let case = case(spec, true);
        let (plan, exe) = run::<f64>(&case, true);
        let apart = plan.with_sums_apart();
        assert!(!apart.steps.iter().any(|s| is_sum(&s.kernel)));
        let mut other = Cpu::<f64>::new().compile_typed(&apart).unwrap();
        for &v in &case.inputs {
            other.write_typed(v, &exe.read_typed(v).unwrap()).unwrap();
        }
        other.run(1).unwrap();
        let pairs = other.read_typed(case.sum).unwrap().into_iter().zip(exe.read_typed(case.sum).unwrap());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-11), "{spec:?}");
    }
}

#[test]
fn a_convolution_that_something_else_wants_too_is_not_merged() {
    let Case { tape, sum, .. } = case(specs()[0], false);
    let first = tape.node(tape.node(sum).inputs[0]).inputs[0];
    let plan = Plan::new(&tape, &[sum, first], &[]);
    assert!(!plan.steps.iter().any(|s| is_sum(&s.kernel)), "{}", plan.dump());
}
