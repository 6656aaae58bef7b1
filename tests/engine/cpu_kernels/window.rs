//! Pooling windows.

use gia_gpu::{
    device::cpu::Number,
    plan::kernel::{Kernel, WindowKernel},
    tape::spec::WindowSpec,
};

use super::{
    naive,
    support::{Random, assert_close, at_every_level, run},
};

pub(crate) fn random_window(random: &mut Random) -> WindowKernel {
    loop {
        let pair = |random: &mut Random, choices: &[usize]| [0; 2].map(|_| random.one_of(choices));
        let spec = WindowSpec {
            size: pair(random, &[1, 2, 4, 5, 7, 12]),
            kernel: pair(random, &[1, 2, 2, 3, 5]),
            stride: pair(random, &[1, 2, 2, 3]),
            padding: pair(random, &[0, 0, 1, 2]),
        };
        let [oh, ow] = spec.output_size();
        if oh * ow > 0 {
            return WindowKernel { spec, planes: random.one_of(&[1, 2, 3, 11, 700]) };
        }
    }
}

/// Elements of the input and of the output.
pub(crate) fn lens(kernel: &WindowKernel) -> [usize; 2] {
    let [oh, ow] = kernel.spec.output_size();
    [kernel.planes * kernel.spec.size[0] * kernel.spec.size[1], kernel.planes * oh * ow]
}

/// Indices into windows, some of them in the padding or outside.
pub(crate) fn random_index(random: &mut Random, kernel: &WindowKernel) -> Vec<f64> {
    let elements = kernel.spec.kernel[0] * kernel.spec.kernel[1];
    (0..lens(kernel)[1]).map(|_| random.below(elements + 2) as f64 - 1.0).collect()
}

fn check<R: Number>(random: &mut Random) {
    let kernel = random_window(random);
    let [input, output] = lens(&kernel);
    let what = format!("{kernel:?}");
    let x = random.values(input);
    let g = random.values(output);
    let index = random_index(random, &kernel);

    let mut best = vec![f64::NEG_INFINITY; output];
    let mut position = vec![0.0; output];
    let mut gathered = vec![0.0; output];
    let mut scattered = vec![0.0; input];
    let mut sums = [vec![0.0; output], vec![0.0; output]];
    let mut spread = [vec![0.0; input], vec![0.0; input]];
    naive::window_elements(&kernel, |out, within, element| {
        if x[element] > best[out] {
            best[out] = x[element];
            position[out] = within as f64;
        }
        if index[out] == within as f64 {
            gathered[out] = x[element];
            scattered[element] += g[out];
        }
        sums[0][out] += x[element];
        sums[1][out] += x[element].abs();
        spread[0][element] += g[out];
        spread[1][element] += g[out].abs();
    });
    let area = kernel.spec.kernel[0] * kernel.spec.kernel[1];
    at_every_level(|isa| {
        assert_eq!(run::<R>(isa, Kernel::WindowArgmax(kernel), &[&x], output), position, "{what}");
        assert_eq!(run::<R>(isa, Kernel::WindowGather(kernel), &[&x, &index], output), gathered, "{what}");
        let found = run::<R>(isa, Kernel::WindowScatter(kernel), &[&g, &index], input);
        assert_close::<R>(&what, &found, &scattered, &spread[1], area);
        let found = run::<R>(isa, Kernel::WindowSum(kernel), &[&x], output);
        assert_close::<R>(&what, &found, &sums[0], &sums[1], area);
        let found = run::<R>(isa, Kernel::WindowSpread(kernel), &[&g], input);
        assert_close::<R>(&what, &found, &spread[0], &spread[1], area);
    });
}

#[test]
fn window_kernels_match_their_definition_on_random_shapes() {
    let mut random = Random::new(5);
    for _ in 0..150 {
        check::<f64>(&mut random);
        check::<f32>(&mut random);
    }
}

#[test]
fn window_argmax_takes_the_first_of_equals_and_a_nan_before_all() {
    let spec = WindowSpec { size: [2, 4], kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    let x = [1.0, 3.0, f64::NAN, 5.0, 3.0, 3.0, 9.0, 2.0];
    let kernel = WindowKernel { spec, planes: 1 };
    let low = [f64::NEG_INFINITY; 8];
    for (x, expected) in [(x, [1.0, 0.0]), (low, [0.0, 0.0])] {
        at_every_level(|isa| {
            assert_eq!(run::<f32>(isa, Kernel::WindowArgmax(kernel), &[&x], 2), expected);
            assert_eq!(run::<f64>(isa, Kernel::WindowArgmax(kernel), &[&x], 2), expected);
        });
    }
}
