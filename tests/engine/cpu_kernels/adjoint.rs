//! ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ in `f64` at every level, for every pair of kernels that are each other's adjoint.

use gia_gpu::plan::kernel::{ConvKernel, Kernel};

use super::{
    contraction::random_conv,
    indexed::random_gather,
    support::{Random, absolute, at_every_level, dot, run},
    window::{lens, random_index, random_window},
};

/// Two sums of the same products in different orders; `magnitude` bounds the sum of their absolute values.
fn assert_equal_sums(what: &str, a: f64, b: f64, magnitude: f64, terms: usize) {
    let bound = f64::EPSILON * (terms.max(1) as f64).sqrt() * magnitude;
    assert!((a - b).abs() <= bound, "{what}: {a} and {b} differ by {:e} > {bound:e}", (a - b).abs());
}

#[test]
fn the_three_convolutions_are_derivatives_of_one_trilinear_form() {
    let mut random = Random::new(7);
    for _ in 0..100 {
        let kernel = ConvKernel { shared: [false; 2], ..random_conv(&mut random) };
        let (spec, t) = (&kernel.spec, kernel.trials);
        let x = random.values(t * spec.input_len());
        let w = random.values(t * spec.weight_len());
        let g = random.values(t * spec.output_len());
        at_every_level(|isa| {
            let forms = |x: &[f64], w: &[f64], g: &[f64]| {
                [
                    dot(&run::<f64>(isa, Kernel::Conv2d(kernel), &[x, w], g.len()), g),
                    dot(&run::<f64>(isa, Kernel::Conv2dGradInput(kernel), &[g, w], x.len()), x),
                    dot(&run::<f64>(isa, Kernel::Conv2dGradWeight(kernel), &[x, g], w.len()), w),
                ]
            };
            let [by_g, by_x, by_w] = forms(&x, &w, &g);
            let [magnitude, ..] = forms(&absolute(&x), &absolute(&w), &absolute(&g));
            let terms = t * spec.flops() as usize / 2;
            assert_equal_sums(&format!("input of {kernel:?}"), by_g, by_x, magnitude, terms);
            assert_equal_sums(&format!("weight of {kernel:?}"), by_g, by_w, magnitude, terms);
        });
    }
}

/// `there` maps x to the shape of y, `back` the other way.
fn assert_adjoint(there: (Kernel, &[&[f64]]), back: (Kernel, &[&[f64]]), x: &[f64], y: &[f64], terms: usize) {
    let what = format!("{:?}", there.0);
    at_every_level(|isa| {
        let with = |first: &[f64], (kernel, rest): &(Kernel, &[&[f64]]), len: usize| {
            let reads: Vec<&[f64]> = [first].into_iter().chain(rest.iter().copied()).collect();
            run::<f64>(isa, kernel.clone(), &reads, len)
        };
        let forward = dot(&with(x, &there, y.len()), y);
        let backward = dot(&with(y, &back, x.len()), x);
        let magnitude = dot(&with(&absolute(x), &there, y.len()), &absolute(y));
        assert_equal_sums(&what, forward, backward, magnitude, terms);
    });
}

#[test]
fn window_pairs_are_adjoint() {
    let mut random = Random::new(8);
    for _ in 0..100 {
        let kernel = random_window(&mut random);
        let [input, output] = lens(&kernel);
        let (x, y) = (random.values(input), random.values(output));
        let index = random_index(&mut random, &kernel);
        assert_adjoint(
            (Kernel::WindowGather(kernel), &[&index]),
            (Kernel::WindowScatter(kernel), &[&index]),
            &x,
            &y,
            output,
        );
        let terms = output * kernel.spec.kernel[0] * kernel.spec.kernel[1];
        assert_adjoint((Kernel::WindowSum(kernel), &[]), (Kernel::WindowSpread(kernel), &[]), &x, &y, terms);
    }
}

#[test]
fn gather_and_scatter_add_are_adjoint() {
    let mut random = Random::new(9);
    for _ in 0..100 {
        let (kernel, index) = random_gather(&mut random);
        let table = random.values(kernel.rows * kernel.width);
        let values = random.values(kernel.count * kernel.width);
        assert_adjoint(
            (Kernel::Gather(kernel), &[&index]),
            (Kernel::ScatterAdd(kernel), &[&index]),
            &table,
            &values,
            values.len(),
        );
    }
}
