//! Convolutions and matrix products.

use gia_gpu::{
    device::cpu::{Isa, Way},
    plan::kernel::{ConvKernel, ConvSumKernel, Kernel, MatmulKernel, MatrixView},
    tape::spec::ConvSpec,
};

use super::super::{
    contraction::{random_conv, random_step, random_view},
    depthwise, direct, outputs,
    support::Random,
    winograd,
};
use super::{assert_same, both};

/// The three convolutions, and the two that add two of one spec.
fn check(levels: [Isa; 2], way: Way, kernel: &ConvKernel, random: &mut Random) {
    let ConvKernel { spec, trials, shared } = *kernel;
    let sum = ConvSumKernel { spec, trials, shared: [shared; 2] };
    let sums = [Some(Kernel::Conv2dGradInputSum(sum)), None, Some(Kernel::Conv2dSum(sum))];
    for (wanted, sum) in sums.into_iter().enumerate() {
        let (step, [a, b], written) = random_step(kernel, wanted, random);
        let before = vec![7.5; written];
        assert_same(levels, Some(way), &step, &[&a, &b], &before);
        if let Some(sum) = sum {
            let (_, [c, d], _) = random_step(kernel, wanted, random);
            assert_same(levels, Some(way), &sum, &[&a, &b, &c, &d], &before);
        }
    }
}

/// Of the kind that `way` is made for.
fn random_spec(way: Way, random: &mut Random) -> ConvSpec {
    match way {
        Way::Patches => random_conv(random).spec,
        Way::Outputs => outputs::random_spec(random),
        Way::Direct => direct::random_spec(random),
        Way::Depthwise => depthwise::random_spec(random),
        Way::Winograd => {
            let mut pair = |choices: &[usize]| [0; 2].map(|_| random.one_of(choices));
            let [channels, outputs] = pair(&[1, 5, 16, 19, 32, 40]);
            let (size, padding) = (pair(&[4, 5, 6, 9, 13, 16]), pair(&[0, 1, 2]));
            winograd::spec(random.one_of(&[1, 3, 8]), channels, outputs, size, padding)
        }
    }
}

const WAYS: [Way; 5] = [Way::Patches, Way::Outputs, Way::Direct, Way::Winograd, Way::Depthwise];

#[test]
fn avx512_and_avx2_give_the_same_bits_for_every_convolution_and_its_gradients_in_every_way() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(71);
    for way in WAYS {
        for _ in 0..30 {
            let spec = random_spec(way, &mut random);
            let shared = [random.below(2) == 0, random.below(2) == 0];
            let kernel = ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
            check(levels, way, &kernel, &mut random);
        }
    }
}

/// Several blocks of a product, whole tiles and parts of one, tasks of many images and of parts of an image.
#[test]
fn avx512_and_avx2_give_the_same_bits_for_large_convolutions_in_every_way() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(72);
    for way in WAYS {
        for (spec, trials) in [
            (winograd::spec(3, 40, 26, [15, 17], [1, 1]), 2),
            (winograd::spec(33, 16, 16, [16, 32], [1, 1]), 1),
            (winograd::spec(1, 100, 72, [24, 24], [0, 1]), 1),
            (winograd::spec(40, 130, 68, [5, 6], [1, 1]), 1),
            (ConvSpec { stride: [2; 2], ..winograd::spec(2, 24, 48, [33, 40], [1, 1]) }, 2),
            (ConvSpec { kernel: [1; 2], ..winograd::spec(2, 300, 40, [14, 14], [0, 0]) }, 1),
            (ConvSpec { groups: 24, ..winograd::spec(2, 24, 24, [9, 16], [1, 1]) }, 1),
        ] {
            for shared in [[false, true], [false, false]] {
                check(levels, way, &ConvKernel { spec, trials, shared }, &mut random);
            }
        }
    }
}

/// One product with random operands.
fn check_matmul(levels: [Isa; 2], kernel: MatmulKernel, lens: [usize; 2], random: &mut Random) {
    let [a, b] = lens.map(|len| random.values(len));
    let before = vec![7.5; kernel.trials * kernel.m * kernel.n];
    assert_same(levels, None, &Kernel::Matmul(kernel), &[&a, &b], &before);
}

#[test]
fn avx512_and_avx2_give_the_same_bits_for_fat_thin_lopsided_and_transposed_matrix_products() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(73);
    for [trials, m, n, k] in [
        [1, 257, 130, 401],
        [2, 96, 128, 512],
        [2, 130, 600, 100],
        [1, 1, 1, 5000],
        [1, 300, 1, 700],
        [1, 1, 300, 700],
        [3, 5, 7, 900],
        [1, 16, 70, 333],
        [1, 8, 900, 300],
        [1, 900, 12, 300],
        [1, 12, 1030, 3],
        [3, 70, 70, 1],
    ] {
        for transposed in [[false; 2], [true, false], [false, true], [true; 2]] {
            let view = |rows: usize, cols: usize, transposed: bool| {
                let (row, col) = if transposed { (1, rows) } else { (cols, 1) };
                MatrixView { offset: 0, trial: rows * cols, row, col }
            };
            let (a, b) = (view(m, k, transposed[0]), view(k, n, transposed[1]));
            let kernel = MatmulKernel { trials, m, n, k, a, b };
            check_matmul(levels, kernel, [trials * m * k, trials * k * n], &mut random);
        }
    }
    for _ in 0..100 {
        let [m, n, k] = [0; 3].map(|_| random.one_of(&[1, 2, 5, 8, 16, 17, 31, 64, 67, 300]));
        let trials = random.one_of(&[1, 2, 3]);
        let (a, a_len) = random_view(&mut random, trials, m, k);
        let (b, b_len) = random_view(&mut random, trials, k, n);
        check_matmul(levels, MatmulKernel { trials, m, n, k, a, b }, [a_len, b_len], &mut random);
    }
}
