//! ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ on the GPU device, for every kernel that has an adjoint among the kernels.

use crate::step_cases::{
    Case, EPSILON, dot, gpu, magnitudes, random, rng,
    shapes::{self, Conv, Window},
};

/// Checks that numbers agree which are one sum of `terms` products in different orders. `scale` is the
/// sum of their magnitudes.
fn assert_equal(name: &str, values: &[f64], terms: usize, scale: f64) {
    let bound = 4.0 * (terms as f64).sqrt() * EPSILON * scale;
    for value in values {
        let error = (value - values[0]).abs();
        assert!(error <= bound, "{name}: {values:?} differ by {error:e}, more than {bound:e}");
    }
}

#[test]
fn the_three_convolutions_are_derivatives_of_one_trilinear_form() {
    for (seed, spec) in shapes::conv_specs().into_iter().enumerate() {
        let rng = &mut rng(seed as u64);
        let trials = 2;
        let [forward, grad_input, grad_weight] = [Conv::Forward, Conv::GradInput, Conv::GradWeight]
            .map(|which| shapes::conv(which, spec, trials, [false, false]));
        let x = random(rng, trials * spec.input_len());
        let w = random(rng, trials * spec.weight_len());
        let g = random(rng, trials * spec.output_len());
        let pairings = |x: &Vec<f32>, w: &Vec<f32>, g: &Vec<f32>| {
            let run = |case: &Case, a: &Vec<f32>, b: &Vec<f32>| case.run(gpu(false), &[a.clone(), b.clone()]);
            [dot(&run(&forward, x, w), g), dot(&run(&grad_input, g, w), x), dot(&run(&grad_weight, x, g), w)]
        };
        let scale = pairings(&magnitudes(&x), &magnitudes(&w), &magnitudes(&g))[0];
        let terms = trials * spec.output_len() * spec.patch_len();
        assert_equal(&format!("{spec:?}"), &pairings(&x, &w, &g), terms, scale);
    }
}

/// `forward` and `backward` take a vector and, where there is one, the same index.
fn check_pair(forward: &Case, backward: &Case, seed: u64) {
    let mut rng = rng(seed);
    let x = random(&mut rng, forward.reads[0].len());
    let y = random(&mut rng, forward.out);
    let index: Vec<_> = forward.reads[1..].iter().map(|operand| operand.values(&mut rng)).collect();
    let run = |case: &Case, vector: &[f32]| {
        let operands: Vec<_> = [vector.to_vec()].into_iter().chain(index.clone()).collect();
        case.run(gpu(false), &operands)
    };
    let values = [dot(&run(forward, &x), &y), dot(&run(backward, &y), &x)];
    let scale = dot(&run(forward, &magnitudes(&x)), &magnitudes(&y));
    assert_equal(&forward.name, &values, forward.out * forward.depth.max(1), scale);
}

#[test]
fn window_scatter_is_the_adjoint_of_window_gather() {
    for (seed, spec) in shapes::window_specs().into_iter().enumerate() {
        let pair = [Window::Gather, Window::Scatter].map(|which| shapes::window(which, spec, 3));
        check_pair(&pair[0], &pair[1], seed as u64);
    }
}

#[test]
fn window_spread_is_the_adjoint_of_window_sum() {
    for (seed, spec) in shapes::window_specs().into_iter().enumerate() {
        let pair = [Window::Sum, Window::Spread].map(|which| shapes::window(which, spec, 3));
        check_pair(&pair[0], &pair[1], seed as u64);
    }
}

#[test]
fn scatter_add_is_the_adjoint_of_gather() {
    for (seed, [rows, width, count]) in
        [[1, 1, 1], [7, 5, 13], [100, 64, 33], [5, 3, 2000]].into_iter().enumerate()
    {
        check_pair(
            &shapes::gather(rows, width, count),
            &shapes::scatter_add(rows, width, count),
            seed as u64,
        );
    }
}

#[test]
fn the_transposed_product_is_the_adjoint_of_matmul() {
    for (seed, [t, m, n, k]) in [[2, 67, 33, 70], [1, 5, 1, 3000], [3, 130, 2, 9]].into_iter().enumerate() {
        let mut rng = rng(seed as u64);
        let [a, b, c] = [t * m * k, t * k * n, t * m * n].map(|len| random(&mut rng, len));
        // The second operand starts at element 1.
        let shifted = |b: &[f32]| [&[0.0], b].concat();
        let forward = shapes::matmul([t, m, n, k], [false, false], [false, false]);
        let by_b = shapes::matmul([t, k, n, m], [true, false], [false, false]);
        let values = |a: &[f32], b: &[f32], c: &[f32]| {
            [
                dot(&forward.run(gpu(false), &[a.to_vec(), shifted(b)]), c),
                dot(&by_b.run(gpu(false), &[a.to_vec(), shifted(c)]), b),
            ]
        };
        let scale = values(&magnitudes(&a), &magnitudes(&b), &magnitudes(&c))[0];
        assert_equal(&forward.name, &values(&a, &b, &c), t * m * n * k, scale);
    }
}
