//! Matrix products and the three convolutions.

use gia_gpu::{
    device::cpu::{Cpu, Number, Way},
    plan::kernel::{ConvKernel, Kernel, MatmulKernel, MatrixView},
    tape::spec::ConvSpec,
};

use super::{
    naive,
    support::{Random, absolute, assert_close, at_every_level, run, run_on},
};

/// A view of a `(T, rows, cols)` operand, either way round, with gaps, shared or not; and its buffer's length.
pub(crate) fn random_view(
    random: &mut Random,
    trials: usize,
    rows: usize,
    cols: usize,
) -> (MatrixView, usize) {
    let (offset, gap) = (random.below(5), random.below(3));
    let (row, col) = if random.below(2) == 0 { (cols + gap, 1) } else { (1, rows + gap) };
    let trial = if random.below(2) == 0 { 0 } else { (rows + gap) * (cols + gap) };
    let view = MatrixView { offset, trial, row, col };
    (view, offset + (trials - 1) * trial + (rows - 1) * row + (cols - 1) * col + 1)
}

fn check_matmul<R: Number>(kernel: &MatmulKernel, a: &[f64], b: &[f64]) {
    let expected = naive::matmul(kernel, a, b);
    let magnitude = naive::matmul(kernel, &absolute(a), &absolute(b));
    at_every_level(|isa| {
        let found = run::<R>(isa, Kernel::Matmul(*kernel), &[a, b], kernel.trials * kernel.m * kernel.n);
        assert_close::<R>(&format!("{kernel:?}"), &found, &expected, &magnitude, kernel.k);
    });
}

#[test]
fn matmul_is_the_sum_of_products_for_any_strides() {
    let mut random = Random::new(1);
    let sizes = [1, 2, 3, 5, 7, 16, 17, 31, 64, 67];
    for _ in 0..150 {
        let [m, n, k] = [0; 3].map(|_| random.one_of(&sizes));
        let trials = random.one_of(&[1, 1, 2, 3, 5]);
        let (a, a_len) = random_view(&mut random, trials, m, k);
        let (b, b_len) = random_view(&mut random, trials, k, n);
        let kernel = MatmulKernel { trials, m, n, k, a, b };
        let (a, b) = (random.values(a_len), random.values(b_len));
        check_matmul::<f64>(&kernel, &a, &b);
        check_matmul::<f32>(&kernel, &a, &b);
    }
}

#[test]
fn matmul_is_the_sum_of_products_for_large_and_lopsided_matrices() {
    let mut random = Random::new(2);
    for [trials, m, n, k] in [
        [1, 1, 1, 5000],
        [1, 300, 1, 700],
        [1, 1, 300, 700],
        [1, 257, 130, 401],
        [2, 130, 600, 100],
        [1, 12, 1030, 300],
        [3, 70, 70, 1],
        [1, 4, 4, 0],
    ] {
        let a = MatrixView { offset: 0, trial: m * k, row: k, col: 1 };
        let b = MatrixView { offset: 0, trial: k * n, row: n, col: 1 };
        let kernel = MatmulKernel { trials, m, n, k, a, b };
        let (a, b) = (random.values(trials * m * k), random.values(trials * k * n));
        check_matmul::<f64>(&kernel, &a, &b);
        check_matmul::<f32>(&kernel, &a, &b);
    }
}

/// A random convolution with a non-empty output.
pub(crate) fn random_conv(random: &mut Random) -> ConvKernel {
    loop {
        let groups = random.one_of(&[1, 1, 1, 2, 3]);
        let pair = |random: &mut Random, choices: &[usize]| [0; 2].map(|_| random.one_of(choices));
        let spec = ConvSpec {
            batch: random.one_of(&[1, 2, 3]),
            channels: groups * random.one_of(&[1, 2, 3, 5]),
            outputs: groups * random.one_of(&[1, 2, 4, 7]),
            size: pair(random, &[1, 2, 5, 7, 8, 13]),
            kernel: pair(random, &[1, 1, 2, 3, 3, 5]),
            stride: pair(random, &[1, 1, 2, 3]),
            padding: pair(random, &[0, 0, 1, 2, 3]),
            dilation: pair(random, &[1, 1, 2]),
            groups,
        };
        if spec.output_len() > 0 {
            let shared = [random.below(2) == 0, random.below(2) == 0];
            return ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
        }
    }
}

/// The same problem with every operand stored once a trial.
fn unshared(kernel: &ConvKernel) -> ConvKernel {
    ConvKernel { shared: [false; 2], ..*kernel }
}

/// Repeats a shared operand for every trial.
fn spread(kernel: &ConvKernel, operand: usize, values: &[f64]) -> Vec<f64> {
    let times = if kernel.shared[operand] { kernel.trials } else { 1 };
    values.repeat(times)
}

fn operand(kernel: &ConvKernel, random: &mut Random, operand: usize, len: usize) -> Vec<f64> {
    random.values(if kernel.shared[operand] { len } else { kernel.trials * len })
}

/// `[x, w, output]` lengths over all trials.
fn lens(kernel: &ConvKernel) -> [usize; 3] {
    let spec = &kernel.spec;
    [spec.input_len(), spec.weight_len(), spec.output_len()].map(|len| kernel.trials * len)
}

/// The derivative of ⟨conv(x, w), g⟩ in operand `wanted` (0 x, 1 w, 2 g), given the two others in order; and how
/// many products each element sums at most.
fn naive_conv(kernel: &ConvKernel, wanted: usize, a: &[f64], b: &[f64]) -> (Vec<f64>, usize) {
    let mut out = vec![0.0; lens(kernel)[wanted]];
    let mut terms = vec![0; out.len()];
    naive::conv_terms(&unshared(kernel), |x, w, g| {
        let (to, product) = match wanted {
            0 => (x, a[g] * b[w]),
            1 => (w, a[x] * b[g]),
            _ => (g, a[x] * b[w]),
        };
        out[to] += product;
        terms[to] += 1;
    });
    (out, terms.into_iter().max().unwrap_or(0))
}

fn check_conv<R: Number>(kernel: &ConvKernel, wanted: usize, random: &mut Random) {
    check_conv_on(Cpu::<R>::new(), kernel, wanted, random);
}

/// All three derivatives against their definition, in both types, `way` where it fits.
pub(crate) fn check_way(way: Way, kernel: &ConvKernel, random: &mut Random) {
    for wanted in 0..3 {
        check_conv_on(Cpu::<f64>::new().with_way(way), kernel, wanted, random);
        check_conv_on(Cpu::<f32>::new().with_way(way), kernel, wanted, random);
    }
}

/// The derivative in operand `wanted` (0 x, 1 w, 2 g), random operands for it, and the length of its result.
pub(crate) fn random_step(
    kernel: &ConvKernel,
    wanted: usize,
    random: &mut Random,
) -> (Kernel, [Vec<f64>; 2], usize) {
    let spec = &kernel.spec;
    let [x_len, w_len, g_len] = [spec.input_len(), spec.weight_len(), spec.output_len()];
    let (a_len, b_len) = [(g_len, w_len), (x_len, g_len), (x_len, w_len)][wanted];
    let operands = [(0, a_len), (1, b_len)].map(|(i, len)| operand(kernel, random, i, len));
    let step = match wanted {
        0 => Kernel::Conv2dGradInput(*kernel),
        1 => Kernel::Conv2dGradWeight(*kernel),
        _ => Kernel::Conv2d(*kernel),
    };
    (step, operands, lens(kernel)[wanted])
}

/// The derivative in operand `wanted` (0 x, 1 w, 2 g) against its definition, with random operands, at every level.
pub(crate) fn check_conv_on<R: Number>(cpu: Cpu<R>, kernel: &ConvKernel, wanted: usize, random: &mut Random) {
    let (step, [a, b], written) = random_step(kernel, wanted, random);
    let (all_a, all_b) = (spread(kernel, 0, &a), spread(kernel, 1, &b));
    let (expected, terms) = naive_conv(kernel, wanted, &all_a, &all_b);
    let (magnitude, _) = naive_conv(kernel, wanted, &absolute(&all_a), &absolute(&all_b));
    at_every_level(|isa| {
        let found = run_on(cpu.with_isa(isa), step.clone(), &[&a, &b], &vec![7.5; written]);
        assert_close::<R>(&format!("{step:?}"), &found, &expected, &magnitude, terms);
    });
}

#[test]
fn the_three_convolutions_match_their_definition_on_random_shapes() {
    let mut random = Random::new(3);
    for _ in 0..120 {
        let kernel = random_conv(&mut random);
        for wanted in 0..3 {
            check_conv::<f64>(&kernel, wanted, &mut random);
            check_conv::<f32>(&kernel, wanted, &mut random);
        }
    }
}

/// Rows of whole vectors go through kernels of their own.
#[test]
fn the_three_convolutions_match_their_definition_on_3x3_kernels_over_whole_vectors() {
    let mut random = Random::new(5);
    for round in 0..60 {
        let padding = random.one_of(&[0, 1, 1, 2, 3]);
        // Of the output, or in every other round of the input.
        let width = random.one_of(&[8, 16, 24, 32, 48]);
        let width = if round % 2 == 0 { (width + 2usize).saturating_sub(2 * padding).max(3) } else { width };
        let height = random.one_of(&[3, 4, 7, 8]);
        let spec = ConvSpec {
            // From 512 pixels on.
            batch: 512usize.div_ceil(height * width) + random.one_of(&[0, 1, 2, 9]),
            channels: random.one_of(&[1, 3, 4, 8]),
            outputs: random.one_of(&[3, 4, 8]),
            size: [height, width],
            kernel: [3; 2],
            stride: [1; 2],
            padding: [padding; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let shared = [random.below(2) == 0, random.below(2) == 0];
        let kernel = ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
        for wanted in 0..3 {
            check_conv::<f64>(&kernel, wanted, &mut random);
            check_conv::<f32>(&kernel, wanted, &mut random);
        }
    }
}

#[test]
fn the_three_convolutions_match_their_definition_on_network_shapes() {
    let mut random = Random::new(4);
    let spec = |batch, channels, outputs, size, kernel, stride, padding, groups| ConvSpec {
        batch,
        channels,
        outputs,
        size: [size; 2],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1; 2],
        groups,
    };
    for (spec, trials) in [
        (spec(2, 3, 12, 32, 5, 2, 2, 1), 2),
        (spec(1, 12, 12, 8, 5, 1, 2, 1), 3),
        (spec(1, 32, 64, 16, 3, 1, 1, 1), 1),
        (spec(2, 96, 33, 4, 3, 1, 1, 1), 1),
        (spec(1, 8, 16, 32, 3, 1, 1, 1), 1),
        (spec(20, 4, 4, 32, 3, 1, 1, 1), 1),
        (spec(40, 2, 4, 8, 3, 1, 1, 1), 1),
        (spec(1, 4, 8, 24, 3, 2, 0, 2), 2),
        (spec(1, 16, 24, 14, 1, 1, 0, 1), 2),
        (spec(1, 16, 24, 14, 1, 2, 0, 1), 1),
        (spec(2, 24, 24, 9, 3, 2, 1, 24), 1),
        (spec(1, 3, 20, 32, 8, 8, 0, 1), 1),
    ] {
        for shared in [[false, false], [false, true], [true, false]] {
            let kernel = ConvKernel { spec, trials, shared };
            for wanted in 0..3 {
                check_conv::<f64>(&kernel, wanted, &mut random);
                check_conv::<f32>(&kernel, wanted, &mut random);
            }
        }
    }
}
