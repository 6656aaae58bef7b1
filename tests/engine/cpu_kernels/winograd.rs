//! Winograd's way of a 3×3 convolution, on every shape that it fits and that its error allows.

use gia_gpu::{
    device::cpu::{Cpu, Isa, Way},
    plan::kernel::{ConvKernel, Kernel},
    tape::spec::ConvSpec,
};

use super::{
    bits::check_bits,
    contraction::{check_conv_on, check_way},
    support::{Random, absolute, at_every_level, dot, run_on},
};

pub(crate) fn spec(
    batch: usize,
    channels: usize,
    outputs: usize,
    size: [usize; 2],
    padding: [usize; 2],
) -> ConvSpec {
    let (kernel, stride, dilation) = ([3; 2], [1; 2], [1; 2]);
    ConvSpec { batch, channels, outputs, size, kernel, stride, padding, dilation, groups: 1 }
}

/// Sides from one tile's to several tiles', with every remainder and every padding.
#[test]
fn winograd_matches_the_definition_on_random_shapes() {
    let mut random = Random::new(41);
    for _ in 0..40 {
        let mut pair = |choices: &[usize]| [0; 2].map(|_| random.one_of(choices));
        let padding = pair(&[0, 1, 1, 2]);
        let size = pair(&[4, 5, 6, 7, 8, 9, 10, 13]);
        let channels = random.one_of(&[32, 33, 47, 48, 64, 80]);
        let outputs = random.one_of(&[32, 35, 48, 65]);
        // Sums of 64 products or more, see the rule: in shorter ones the transforms' error is not small beside the bound.
        let [height, width] = [0, 1].map(|d| size[d] + 2 * padding[d] - 2);
        let batch = 64usize.div_ceil(height * width) + random.one_of(&[0, 1, 2]);
        let spec = spec(batch, channels, outputs, size, padding);
        let shared = [random.below(2) == 0, random.below(2) == 0];
        let kernel = ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
        check_way(Way::Winograd, &kernel, &mut random);
    }
}

/// Blocks that transform their own tiles, and point by point, in one round and in two; weights' gradients in parts, and point by point.
#[test]
fn winograd_matches_the_definition_on_many_tiles() {
    let mut random = Random::new(42);
    for (spec, trials, shared) in [
        (spec(17, 16, 16, [32, 32], [1, 1]), 1, [false, true]),
        (spec(70, 33, 32, [8, 7], [1, 1]), 2, [false, false]),
        (spec(5, 32, 40, [32, 32], [1, 1]), 1, [false, true]),
        (spec(1, 180, 72, [30, 33], [1, 1]), 1, [false, true]),
        (spec(32, 130, 141, [5, 6], [1, 1]), 2, [false, false]),
        (spec(140, 130, 133, [5, 5], [1, 1]), 1, [false, false]),
    ] {
        check_way(Way::Winograd, &ConvKernel { spec, trials, shared }, &mut random);
    }
}

/// More tiles than are transformed at once, and more products than are kept at once.
#[test]
fn winograd_gradient_by_w_matches_the_definition_over_several_rounds() {
    let mut random = Random::new(45);
    let kernel = ConvKernel { spec: spec(130, 1300, 100, [2, 2], [1, 1]), trials: 1, shared: [false, false] };
    check_conv_on(Cpu::<f64>::new().with_way(Way::Winograd), &kernel, 1, &mut random);
    check_conv_on(Cpu::<f32>::new().with_way(Way::Winograd), &kernel, 1, &mut random);
}

#[test]
fn winograd_gives_derivatives_of_one_trilinear_form() {
    let mut random = Random::new(43);
    for _ in 0..30 {
        let mut pair = |choices: &[usize]| [0; 2].map(|_| random.one_of(choices));
        let (size, padding) = (pair(&[4, 5, 6, 9, 16]), pair(&[0, 1, 2]));
        let [channels, outputs] = [0; 2].map(|_| random.one_of(&[16, 19, 32, 40]));
        let spec = spec(random.one_of(&[1, 3]), channels, outputs, size, padding);
        let kernel = ConvKernel { spec, trials: random.one_of(&[1, 2]), shared: [false; 2] };
        let x = random.values(kernel.trials * spec.input_len());
        let w = random.values(kernel.trials * spec.weight_len());
        let g = random.values(kernel.trials * spec.output_len());
        at_every_level(|isa| {
            let cpu = Cpu::<f64>::new().with_way(Way::Winograd).with_isa(isa);
            let forms = |x: &[f64], w: &[f64], g: &[f64]| {
                let form = |kernel: Kernel, reads: [&[f64]; 2], with: &[f64]| {
                    dot(&run_on(cpu, kernel, &reads, &vec![7.5; with.len()]), with)
                };
                [
                    form(Kernel::Conv2d(kernel), [x, w], g),
                    form(Kernel::Conv2dGradInput(kernel), [g, w], x),
                    form(Kernel::Conv2dGradWeight(kernel), [x, g], w),
                ]
            };
            let [by_g, by_x, by_w] = forms(&x, &w, &g);
            let [magnitude, ..] = forms(&absolute(&x), &absolute(&w), &absolute(&g));
            let bound = f64::EPSILON * (kernel.trials as f64 * spec.flops() as f64 / 2.0).sqrt() * magnitude;
            assert!((by_g - by_x).abs() <= bound, "input of {kernel:?}: {by_g} and {by_x}, bound {bound:e}");
            assert!((by_g - by_w).abs() <= bound, "weight of {kernel:?}: {by_g} and {by_w}, bound {bound:e}");
        });
    }
}

/// The bits depend neither on the threads nor, where trials share weights, on how many trials there are.
#[test]
fn winograd_gives_the_same_bits_on_any_number_of_threads_and_beside_other_trials() {
    let mut random = Random::new(44);
    for spec in [
        spec(1, 48, 70, [32, 32], [1, 1]),
        spec(9, 32, 32, [32, 32], [1, 1]),
        spec(2, 192, 130, [30, 31], [0, 1]),
    ] {
        check_bits(Way::Winograd, &Isa::available(), spec, &mut random);
    }
}
