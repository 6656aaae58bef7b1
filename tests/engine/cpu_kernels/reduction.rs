//! Fused expressions that end in a sum or a maximum.

use gia_gpu::{
    device::cpu::Number,
    plan::kernel::{Instr, Kernel, Leaf, MapReduceKernel, Program, Source, View},
    tape::op::{Binary, Reduce, Unary},
};

use super::{
    naive,
    pointwise::{random_dims, random_program, whole_numbers},
    support::{Random, absolute, assert_close, at_every_level, run},
};

/// `Σ a·b` (or the largest product) over the trailing axes, and `Σ |a·b|`.
fn naive_reduce(kernel: &MapReduceKernel, reads: &[&[f64]]) -> (Vec<f64>, Vec<f64>) {
    let points = naive::map(&kernel.program, &kernel.dims, reads, &[]);
    let outer: usize = kernel.dims[..kernel.outer].iter().product();
    let inner: usize = kernel.dims[kernel.outer..].iter().product();
    let rows = (0..outer).map(|o| &points[o * inner..][..inner]);
    let value = |row: &[f64]| match kernel.reduce {
        Reduce::Sum => row.iter().sum(),
        Reduce::Max => row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    (rows.clone().map(value).collect(), rows.map(|row| row.iter().map(|v| v.abs()).sum()).collect())
}

fn check<R: Number>(kernel: &MapReduceKernel, reads: &[&[f64]]) {
    let (expected, magnitude) = naive_reduce(kernel, reads);
    let inner: usize = kernel.dims[kernel.outer..].iter().product();
    let magnitude = if kernel.reduce == Reduce::Max { absolute(&expected) } else { magnitude };
    at_every_level(|isa| {
        let found = run::<R>(isa, Kernel::MapReduce(kernel.clone()), reads, expected.len());
        assert_close::<R>(&format!("{kernel:?}"), &found, &expected, &magnitude, inner);
    });
}

#[test]
fn reductions_of_random_programs_over_random_views_are_exact_on_whole_numbers() {
    let mut random = Random::new(11);
    for _ in 0..400 {
        let dims = random_dims(&mut random);
        let (program, lens) = random_program(&mut random, &dims, false);
        let reads: Vec<Vec<f64>> = lens.iter().map(|&len| whole_numbers(&mut random, len)).collect();
        let reads: Vec<&[f64]> = reads.iter().map(Vec::as_slice).collect();
        let outer = random.below(dims.len() + 1);
        let reduce = random.one_of(&[Reduce::Sum, Reduce::Max]);
        let kernel = MapReduceKernel { dims, outer, reduce, program };
        check::<f64>(&kernel, &reads);
        check::<f32>(&kernel, &reads);
    }
}

/// `a·b` where b's axes are stored in the reverse order if `transposed`.
pub(crate) fn product(dims: &[usize], transposed: [bool; 2]) -> Program {
    let view = |transposed| {
        let mut view = View::contiguous(dims);
        if transposed {
            let mut step = 1;
            for (stride, &n) in view.strides.iter_mut().zip(dims) {
                *stride = step;
                step *= n as isize;
            }
        }
        view
    };
    let leaf = |read: usize| Leaf { source: Source::Read(read), view: view(transposed[read]) };
    Program {
        leaves: vec![leaf(0), leaf(1)],
        code: vec![Instr::Load(0), Instr::Load(1), Instr::Binary(Binary::Mul, 0, 1)],
    }
}

#[test]
fn sums_of_products_stay_within_the_rounding_of_a_good_summation() {
    let mut random = Random::new(12);
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
        (vec![5, 1], 1),
    ] {
        for transposed in [[false; 2], [true; 2], [false, true]] {
            let len = dims.iter().product();
            let (a, b) = (random.values(len), random.values(len));
            let program = product(&dims, transposed);
            for reduce in [Reduce::Sum, Reduce::Max] {
                let kernel = MapReduceKernel { dims: dims.clone(), outer, reduce, program: program.clone() };
                check::<f64>(&kernel, &[&a, &b]);
                check::<f32>(&kernel, &[&a, &b]);
            }
        }
    }
}

/// As a norm's sums over all pictures: x and g `(B,C,S)`, a number a channel, summed over B and S.
#[test]
fn sums_of_channels_over_all_pictures_read_rows_of_any_length() {
    let mut random = Random::new(13);
    for [batch, channels, row] in [
        [3, 4, 1024],
        [5, 3, 512],
        [7, 3, 256],
        [9, 5, 128],
        [9, 5, 64],
        [4, 3, 1536],
        [6, 2, 384],
        [5, 2, 700],
        [1, 3, 256],
    ] {
        let stored = |read| Leaf {
            source: Source::Read(read),
            view: View {
                offset: 0,
                strides: vec![row as isize, (channels * row) as isize, 1],
                valid: vec![[0, channels], [0, batch], [0, row]],
            },
        };
        let mut mean = stored(2);
        mean.view.strides = vec![1, 0, 0];
        let program = Program {
            leaves: vec![stored(0), stored(1), mean],
            code: vec![
                Instr::Load(0),
                Instr::Load(2),
                Instr::Binary(Binary::Sub, 0, 1),
                Instr::Load(1),
                Instr::Binary(Binary::Mul, 2, 3),
            ],
        };
        let plain = Program { leaves: vec![stored(0)], code: vec![Instr::Load(0)] };
        let len = batch * channels * row;
        let (x, g, mean) = (random.values(len), random.values(len), random.values(channels));
        for (program, reads) in [(plain, vec![&x[..]]), (program, vec![&x[..], &g, &mean])] {
            let dims = vec![channels, batch, row];
            let kernel = MapReduceKernel { dims, outer: 1, reduce: Reduce::Sum, program };
            check::<f64>(&kernel, &reads);
            check::<f32>(&kernel, &reads);
        }
    }
}

#[test]
fn a_reduction_of_nothing_is_neutral() {
    let dims = vec![2, 0];
    let program = product(&dims, [false; 2]);
    let sum = MapReduceKernel { dims, outer: 1, reduce: Reduce::Sum, program };
    let max = MapReduceKernel { reduce: Reduce::Max, ..sum.clone() };
    at_every_level(|isa| {
        for (kernel, neutral) in [(&sum, 0.0), (&max, f64::NEG_INFINITY)] {
            let kernel = Kernel::MapReduce(kernel.clone());
            assert_eq!(run::<f32>(isa, kernel.clone(), &[&[], &[]], 2), [neutral; 2]);
            assert_eq!(run::<f64>(isa, kernel, &[&[], &[]], 2), [neutral; 2]);
        }
    });
}

#[test]
fn nan_reaches_sums_and_maxima_from_any_position() {
    for at in [0, 3, 64, 700, 999] {
        let mut x = vec![1.0; 1000];
        x[at] = f64::NAN;
        for reduce in [Reduce::Sum, Reduce::Max] {
            let program = Program {
                leaves: vec![Leaf { source: Source::Read(0), view: View::contiguous(&[1000]) }],
                code: vec![Instr::Load(0), Instr::Unary(Unary::Neg, 0)],
            };
            let kernel = Kernel::MapReduce(MapReduceKernel { dims: vec![1000], outer: 0, reduce, program });
            at_every_level(|isa| {
                assert!(run::<f32>(isa, kernel.clone(), &[&x], 1)[0].is_nan(), "{reduce:?} at {at}");
                assert!(run::<f64>(isa, kernel.clone(), &[&x], 1)[0].is_nan(), "{reduce:?} at {at}");
            });
        }
    }
}
