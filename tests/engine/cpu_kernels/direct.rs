//! 3×3 convolutions whose runs of pixels stay in registers, on every kind of shape that they fit.

use gia_gpu::{device::cpu::Way, plan::kernel::ConvKernel, tape::spec::ConvSpec};

use super::{
    bits::check_bits,
    contraction::check_way,
    support::{Random, shared_out},
};

/// Output rows of one run or several, of 8 pixels or 16, an odd number of runs among them.
pub(crate) fn random_spec(random: &mut Random) -> ConvSpec {
    let padding = [0; 2].map(|_| random.one_of(&[0, 1]));
    let outputs = [random.one_of(&[2, 3, 6, 9]), random.one_of(&[8, 16, 24, 32])];
    ConvSpec {
        batch: random.one_of(&[1, 2, 5]),
        channels: random.one_of(&[4, 8, 12]),
        outputs: random.one_of(&[4, 8, 20]),
        size: [0, 1].map(|d| outputs[d] + 2 - 2 * padding[d]),
        kernel: [3; 2],
        stride: [1; 2],
        padding,
        dilation: [1; 2],
        groups: 1,
    }
}

/// Kernels of several sizes and both strides, planes that are no multiple of four, images enough to be tasks of their own or not.
fn any_spec(random: &mut Random) -> ConvSpec {
    let stride = random.one_of(&[1, 2]);
    let kernel = [0; 2].map(|_| random.one_of(&[2, 3, 4, 5]));
    let padding = kernel.map(|k| random.below(k));
    let outputs = [random.one_of(&[1, 2, 5]), random.one_of(&[8, 16, 24])];
    // Pixels beyond the last window, too.
    let size = [0, 1].map(|d| {
        let least = (outputs[d] - 1) * stride + kernel[d] + random.below(stride);
        least.saturating_sub(2 * padding[d]).max(1)
    });
    ConvSpec {
        batch: random.one_of(&[1, 2, 9]),
        channels: random.one_of(&[1, 3, 8]),
        outputs: random.one_of(&[1, 4, 6, 13]),
        size,
        kernel,
        stride: [stride; 2],
        padding,
        dilation: [1; 2],
        groups: 1,
    }
}

#[test]
fn runs_of_results_match_the_definition_for_kernels_of_any_size_and_both_strides() {
    let mut random = Random::new(63);
    for _ in 0..80 {
        let spec = any_spec(&mut random);
        let shared = [random.below(2) == 0, random.below(2) == 0];
        let kernel = ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
        check_way(Way::Direct, &kernel, &mut random);
    }
}

#[test]
fn runs_of_pixels_match_the_definition_on_random_shapes() {
    let mut random = Random::new(61);
    for _ in 0..60 {
        let spec = random_spec(&mut random);
        let shared = [random.below(2) == 0, random.below(2) == 0];
        let kernel = ConvKernel { spec, trials: random.one_of(&[1, 1, 2, 3]), shared };
        check_way(Way::Direct, &kernel, &mut random);
    }
}

/// So many images that each is a task, and padded by it; without padding it is read where it is.
#[test]
fn runs_of_pixels_match_the_definition_on_many_images() {
    let mut random = Random::new(62);
    for (padding, trials, batch, shared) in
        [(1, 1, 33, [false, true]), (1, 17, 2, [true, false]), (0, 40, 1, [false, false])]
    {
        let spec = ConvSpec {
            batch,
            channels: 4,
            outputs: 8,
            size: [8 + 2 * (1 - padding); 2],
            kernel: [3; 2],
            stride: [1; 2],
            padding: [padding; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let kernel = ConvKernel { spec, trials, shared };
        check_way(Way::Direct, &kernel, &mut random);
    }
}

#[test]
fn runs_of_pixels_give_the_same_bits_on_any_number_of_threads_and_beside_other_trials() {
    let mut random = Random::new(63);
    for case in 0..12 {
        let spec = random_spec(&mut random);
        check_bits(Way::Direct, &shared_out(case), spec, &mut random);
    }
}
