//! Pooling windows, and rows of a table.

use gia_gpu::{
    device::cpu::Isa,
    plan::kernel::{GatherKernel, Kernel, WindowKernel},
    tape::spec::WindowSpec,
};

use super::super::{
    indexed::random_gather,
    support::Random,
    window::{lens, random_index, random_window},
};
use super::{assert_same, both};

/// The five window kernels. Some of the inputs are equal, and some are not numbers.
fn check(levels: [Isa; 2], kernel: WindowKernel, random: &mut Random) {
    let [input, output] = lens(&kernel);
    let mut x = random.values(input);
    for _ in 0..1 + input / 50 {
        x[random.below(input)] = random.one_of(&[0.0, -0.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    }
    let (g, index) = (random.values(output), random_index(random, &kernel));
    let (small, large) = (vec![7.5; output], vec![7.5; input]);
    assert_same(levels, None, &Kernel::WindowArgmax(kernel), &[&x], &small);
    assert_same(levels, None, &Kernel::WindowGather(kernel), &[&x, &index], &small);
    assert_same(levels, None, &Kernel::WindowScatter(kernel), &[&g, &index], &large);
    assert_same(levels, None, &Kernel::WindowSum(kernel), &[&x], &small);
    assert_same(levels, None, &Kernel::WindowSpread(kernel), &[&g], &large);
}

#[test]
fn avx512_and_avx2_give_the_same_bits_for_windows_side_by_side_and_overlapping() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(78);
    for [kernel, stride, padding] in
        [[2, 2, 0], [3, 3, 0], [3, 2, 1], [3, 1, 1], [2, 1, 0], [5, 2, 2], [8, 8, 0]]
    {
        for size in [[8, 8], [12, 14], [16, 32], [17, 41], [24, 66]] {
            let spec = WindowSpec { size, kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] };
            check(levels, WindowKernel { spec, planes: 21 }, &mut random);
        }
    }
    for _ in 0..60 {
        let kernel = random_window(&mut random);
        check(levels, kernel, &mut random);
    }
}

#[test]
fn avx512_and_avx2_give_the_same_bits_for_gathered_and_scattered_rows() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(79);
    let mut cases: Vec<(GatherKernel, Vec<f64>)> = (0..60).map(|_| random_gather(&mut random)).collect();
    for [rows, width, count] in [[50, 64, 3000], [7, 33, 500], [1000, 8, 100]] {
        let index = (0..count).map(|_| random.below(rows + 2) as f64 - 1.0).collect();
        cases.push((GatherKernel { rows, width, count }, index));
    }
    for (kernel, index) in cases {
        let GatherKernel { rows, width, count } = kernel;
        let (table, values) = (random.values(rows * width), random.values(count * width));
        assert_same(levels, None, &Kernel::Gather(kernel), &[&table, &index], &vec![7.5; count * width]);
        assert_same(levels, None, &Kernel::ScatterAdd(kernel), &[&values, &index], &vec![7.5; rows * width]);
    }
}
