//! Convolutions whose vectors run along the output channels, on every kind of shape that they fit.

use gia_gpu::{device::cpu::Way, plan::kernel::ConvKernel, tape::spec::ConvSpec};

use super::{
    bits::check_bits,
    contraction::check_way,
    support::{Random, shared_out},
};

/// Rows of whole tiles and of parts of one, strides, uneven sides, kernels with and without a middle, and outputs that leave
/// lanes empty or need several vectors.
pub(crate) fn random_spec(random: &mut Random) -> ConvSpec {
    let mut pair = |choices: &[usize]| [0; 2].map(|_| random.one_of(choices));
    let (size, padding) = (pair(&[8, 11, 12, 16, 21, 22]), pair(&[0, 1, 2, 3]));
    let kernel = random.one_of(&[1, 2, 3, 5, 5]);
    ConvSpec {
        batch: random.one_of(&[1, 1, 2, 5]),
        channels: random.one_of(&[1, 3, 8, 12, 25]),
        outputs: random.one_of(&[3, 8, 12, 16, 31, 40, 70]),
        size,
        kernel: [kernel; 2],
        stride: [random.one_of(&[1, 2]); 2],
        padding,
        dilation: [1; 2],
        groups: 1,
    }
}

#[test]
fn vectors_of_outputs_match_the_definition_on_random_shapes() {
    let mut random = Random::new(51);
    for _ in 0..120 {
        let spec = random_spec(&mut random);
        let shared = [random.below(2) == 0, random.below(2) == 0];
        let kernel = ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
        check_way(Way::Outputs, &kernel, &mut random);
    }
}

/// Gradients by w that are summed in several passes.
#[test]
fn vectors_of_outputs_match_the_definition_on_large_batches() {
    let mut random = Random::new(52);
    let plain = ConvSpec {
        batch: 19,
        channels: 12,
        outputs: 24,
        size: [16, 16],
        kernel: [5; 2],
        stride: [1; 2],
        padding: [2; 2],
        dilation: [1; 2],
        groups: 1,
    };
    for spec in [plain, ConvSpec { kernel: [3; 2], stride: [2; 2], size: [31, 40], ..plain }] {
        let kernel = ConvKernel { spec, trials: 1, shared: [false, true] };
        check_way(Way::Outputs, &kernel, &mut random);
    }
}

#[test]
fn vectors_of_outputs_give_the_same_bits_on_any_number_of_threads_and_beside_other_trials() {
    let mut random = Random::new(53);
    for case in 0..12 {
        let spec = random_spec(&mut random);
        check_bits(Way::Outputs, &shared_out(case), spec, &mut random);
    }
}
