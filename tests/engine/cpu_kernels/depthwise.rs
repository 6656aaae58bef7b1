//! Convolutions whose channels are groups of their own, on every kind of shape.

use gia_gpu::{
    device::cpu::Way,
    plan::kernel::{ConvKernel, ConvSumKernel, Kernel},
    tape::spec::ConvSpec,
};

use super::{
    bits::check_bits,
    contraction::{check_way, random_step},
    support::{Random, at_every_level, run, shared_out},
};

/// Planes smaller than the kernel and larger, both strides and more, dilation, channels that leave lanes empty.
pub(crate) fn random_spec(random: &mut Random) -> ConvSpec {
    loop {
        let mut pair = |choices: &[usize]| [0; 2].map(|_| random.one_of(choices));
        let (size, kernel) = (pair(&[1, 2, 3, 4, 7, 8, 9, 16, 21]), pair(&[1, 2, 3, 3, 5, 7]));
        let (stride, padding, dilation) = (pair(&[1, 1, 2, 3]), pair(&[0, 1, 2, 3]), pair(&[1, 1, 1, 2]));
        let channels = random.one_of(&[2, 5, 16, 19, 32, 40]);
        let batch = random.one_of(&[1, 2, 3]);
        let (groups, outputs) = (channels, channels);
        let spec = ConvSpec { batch, channels, outputs, size, kernel, stride, padding, dilation, groups };
        if spec.output_len() > 0 {
            return spec;
        }
    }
}

#[test]
fn channels_side_by_side_match_the_definition_on_random_shapes() {
    let mut random = Random::new(81);
    for _ in 0..120 {
        let spec = random_spec(&mut random);
        let shared = [random.below(2) == 0, random.below(2) == 0];
        let kernel = ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
        check_way(Way::Depthwise, &kernel, &mut random);
    }
}

/// Sums over images in parts, and over more positions than go to memory at once.
#[test]
fn channels_side_by_side_match_the_definition_on_many_images_and_large_ones() {
    let mut random = Random::new(82);
    let plain = random_spec(&mut random);
    let plain = ConvSpec { kernel: [3; 2], stride: [1; 2], padding: [1; 2], dilation: [1; 2], ..plain };
    let of = |channels: usize| ConvSpec { channels, outputs: channels, groups: channels, ..plain };
    for spec in [
        ConvSpec { batch: 37, size: [4, 4], ..of(18) },
        ConvSpec { batch: 2, size: [40, 33], ..of(3) },
        ConvSpec { batch: 17, size: [5, 6], stride: [2; 2], kernel: [7; 2], padding: [3; 2], ..of(16) },
    ] {
        let kernel = ConvKernel { spec, trials: 2, shared: [false; 2] };
        check_way(Way::Depthwise, &kernel, &mut random);
    }
}

#[test]
fn channels_side_by_side_give_the_same_bits_on_any_number_of_threads_and_beside_other_trials() {
    let mut random = Random::new(83);
    for case in 0..12 {
        let spec = random_spec(&mut random);
        check_bits(Way::Depthwise, &shared_out(case), spec, &mut random);
    }
}

/// The second is added to the first.
#[test]
fn sums_of_two_are_the_sum_of_both() {
    let mut random = Random::new(84);
    for _ in 0..20 {
        let (spec, trials) = (random_spec(&mut random), random.one_of(&[1, 2]));
        let kernel = ConvKernel { spec, trials, shared: [false, true] };
        let sum = ConvSumKernel { spec, trials, shared: [kernel.shared; 2] };
        for (wanted, sum) in [(0, Kernel::Conv2dGradInputSum(sum)), (2, Kernel::Conv2dSum(sum))] {
            let (step, [a, b], written) = random_step(&kernel, wanted, &mut random);
            let (_, [c, d], _) = random_step(&kernel, wanted, &mut random);
            at_every_level(|isa| {
                let [first, second] =
                    [[&a, &b], [&c, &d]].map(|[x, w]| run::<f64>(isa, step.clone(), &[x, w], written));
                let both = run::<f64>(isa, sum.clone(), &[&a, &b, &c, &d], written);
                let expected = first.iter().zip(&second).map(|(a, b)| a + b);
                assert!(both.iter().zip(expected).all(|(found, sum)| *found == sum), "{sum:?}");
            });
        }
    }
}
