//! Pointwise functions, fused programs and reductions.

use gia_gpu::{
    plan::kernel::{Instr, Kernel, MapKernel, MapReduceKernel},
    tape::op::{Binary, Reduce},
};

use super::super::{
    pointwise::{UNARY, all_magnitudes, map_of, random_dims, random_program},
    reduction::product,
    support::Random,
};
use super::{assert_same, both};

/// Numbers of every kind, exact in `f32`.
const SPECIAL: [f64; 17] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -3.25,
    7.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f32::MAX as f64,
    f32::MIN as f64,
    f32::MIN_POSITIVE as f64,
    // Denormal in f32.
    1.0 / (1u128 << 127) as f64 / 64.0,
    1.0 + f32::EPSILON as f64,
    1e10,
    -0.000_030_517_578_125,
];

#[test]
fn avx512_and_avx2_give_the_same_bits_for_every_pointwise_function_of_any_number() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(74);
    let x = all_magnitudes();
    for op in UNARY {
        let kernel = map_of(Instr::Unary(op, 0), 1, x.len());
        assert_same(levels, None, &kernel, &[&x], &vec![7.5; x.len()]);
    }
    let pairs = SPECIAL.iter().flat_map(|&a| SPECIAL.map(|b| (a, b)));
    let (mut a, mut b): (Vec<f64>, Vec<f64>) = pairs.unzip();
    a.extend(random.values(1000));
    b.extend(random.values(1000));
    for op in [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Max,
        Binary::Min,
        Binary::Less,
        Binary::Equal,
    ] {
        let kernel = map_of(Instr::Binary(op, 0, 1), 2, a.len());
        assert_same(levels, None, &kernel, &[&a, &b], &vec![7.5; a.len()]);
    }
    let masks: Vec<f64> = (0..a.len()).map(|i| SPECIAL[i % SPECIAL.len()]).collect();
    let kernel = map_of(Instr::Select(0, 1, 2), 3, a.len());
    assert_same(levels, None, &kernel, &[&masks, &a, &b], &vec![7.5; a.len()]);
}

#[test]
fn avx512_and_avx2_give_the_same_bits_for_random_programs_over_random_views_mapped_and_reduced() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(75);
    for case in 0..200 {
        let dims = random_dims(&mut random);
        let (program, lens) = random_program(&mut random, &dims, case % 2 == 0);
        let reads: Vec<Vec<f64>> = lens.iter().map(|&len| random.values(len)).collect();
        let reads: Vec<&[f64]> = reads.iter().map(Vec::as_slice).collect();
        if case % 2 == 0 {
            let before = random.values(dims.iter().product());
            assert_same(levels, None, &Kernel::Map(MapKernel { dims, program }), &reads, &before);
        } else {
            let outer = random.below(dims.len() + 1);
            let before = vec![7.5; dims[..outer].iter().product()];
            let reduce = random.one_of(&[Reduce::Sum, Reduce::Max]);
            let kernel = MapReduceKernel { dims, outer, reduce, program };
            assert_same(levels, None, &Kernel::MapReduce(kernel), &reads, &before);
        }
    }
}

/// Leaves whose last axis is not the one that lies side by side in memory are turned tile by tile.
#[test]
fn avx512_and_avx2_give_the_same_bits_for_transposed_maps() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(76);
    for dims in [vec![64, 128], vec![33, 1001], vec![5, 17, 40]] {
        let len = dims.iter().product();
        let (a, b) = (random.values(len), random.values(len));
        for transposed in [[true, false], [false, true], [true; 2]] {
            let map = MapKernel { program: product(&dims, transposed), dims: dims.clone() };
            assert_same(levels, None, &Kernel::Map(map), &[&a, &b], &vec![7.5; len]);
        }
    }
}

/// Along the axes that are reduced and along those that are kept, in one part and in several.
#[test]
fn avx512_and_avx2_give_the_same_bits_for_reductions_in_both_orders() {
    let Some(levels) = both() else { return };
    let mut random = Random::new(77);
    for (dims, outer) in [
        (vec![200_001], 0),
        (vec![3, 70_001], 1),
        (vec![70_001, 3], 1),
        (vec![2, 3, 517, 5], 2),
        (vec![1031, 10], 1),
        (vec![10, 1031], 1),
        (vec![65, 700], 1),
        (vec![700, 129], 1),
        (vec![4, 7, 9, 33], 1),
        (vec![6, 5, 256], 1),
        (vec![5, 1], 1),
    ] {
        let len = dims.iter().product();
        let (a, mut b) = (random.values(len), random.values(len));
        for transposed in [[false; 2], [true; 2], [false, true]] {
            let program = product(&dims, transposed);
            for reduce in [Reduce::Sum, Reduce::Max] {
                let kernel = MapReduceKernel { dims: dims.clone(), outer, reduce, program: program.clone() };
                let before = vec![7.5; dims[..outer].iter().product()];
                assert_same(levels, None, &Kernel::MapReduce(kernel), &[&a, &b], &before);
            }
            // From the second round on, some results are not finite.
            b[len / 2] = f64::INFINITY;
            b[len / 3] = f64::NAN;
        }
    }
}
