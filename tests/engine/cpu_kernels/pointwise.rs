//! Fused pointwise kernels: programs, leaves, elementary functions.

use gia_gpu::{
    device::cpu::{Cpu, Isa, Number},
    plan::{
        Plan,
        kernel::{Instr, Kernel, Leaf, MapKernel, Program, Source, View},
    },
    tape::{
        Tape,
        op::{Binary, Unary},
    },
};

use super::{
    naive,
    support::{Random, at_every_level, run, run_on},
};

pub(crate) fn random_dims(random: &mut Random) -> Vec<usize> {
    let rank = random.below(6);
    loop {
        let dims: Vec<usize> = (0..rank).map(|_| random.one_of(&[1, 1, 2, 3, 5, 8, 17, 600])).collect();
        if dims.iter().product::<usize>() < 20_000 {
            return dims;
        }
    }
}

/// A view with any mix of permuted, broadcast, flipped, padded and strided axes; and its buffer's length.
pub(crate) fn random_view(random: &mut Random, dims: &[usize]) -> (View, usize) {
    let mut order: Vec<usize> = (0..dims.len()).collect();
    if random.below(2) == 0 {
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i + 1));
        }
    }
    let plain = random.below(3) == 0;
    let mut view = View {
        offset: random.below(3) as isize,
        strides: vec![0; dims.len()],
        valid: dims.iter().map(|&n| [0, n]).collect(),
    };
    let mut step = 1;
    for &d in order.iter().rev() {
        let n = dims[d];
        match if plain { 0 } else { random.below(8) } {
            1 | 2 => {}
            3 => {
                view.strides[d] = -step;
                view.offset += step * (n as isize - 1);
                step *= n as isize;
            }
            4 => {
                let from = random.below(n + 1);
                let to = from + random.below(n + 1 - from);
                view.valid[d] = [from, to];
                view.strides[d] = step;
                view.offset -= from as isize * step;
                step *= (to - from).max(1) as isize;
            }
            5 => {
                view.strides[d] = 2 * step;
                step *= 2 * n as isize;
            }
            _ => {
                view.strides[d] = step;
                step *= n as isize;
            }
        }
    }
    (view, step as usize + 2)
}

/// A program whose values are whole numbers below 2²⁴, exact in `f32`, over leaves that hold −2..=2.
pub(crate) fn random_program(random: &mut Random, dims: &[usize], in_place: bool) -> (Program, Vec<usize>) {
    let mut program = Program { leaves: Vec::new(), code: Vec::new() };
    let mut lens = Vec::new();
    for leaf in 0..1 + random.below(4) {
        let (view, len) = random_view(random, dims);
        let source = match random.below(6) {
            0 => Source::Ones,
            1 if in_place => Source::Output,
            _ => Source::Read(lens.len()),
        };
        if matches!(source, Source::Read(_)) {
            lens.push(len);
        }
        let view = if source == Source::Output { View::contiguous(dims) } else { view };
        program.leaves.push(Leaf { source, view });
        program.code.push(Instr::Load(leaf));
    }
    program.code.push(Instr::Const(random.below(5) as f64 - 2.0));
    let small = program.code.len();
    for _ in 0..random.below(10) {
        let (any, leaf) = (random.below(program.code.len()), random.below(small));
        let other = random.below(program.code.len());
        program.code.push(match random.below(12) {
            0 => Instr::Unary(Unary::Neg, any),
            1 => Instr::Unary(Unary::Abs, any),
            2 => Instr::Unary(Unary::Step, any),
            3 => Instr::Unary(Unary::Sign, any),
            4 => Instr::Binary(Binary::Add, any, other),
            5 => Instr::Binary(Binary::Sub, any, other),
            6 => Instr::Binary(Binary::Max, any, other),
            7 => Instr::Binary(Binary::Min, any, other),
            8 => Instr::Binary(Binary::Less, any, other),
            9 => Instr::Binary(Binary::Equal, any, other),
            10 => Instr::Select(any, other, leaf),
            _ => Instr::Binary(Binary::Mul, any, leaf),
        });
    }
    (program, lens)
}

pub(crate) fn whole_numbers(random: &mut Random, n: usize) -> Vec<f64> {
    (0..n).map(|_| random.below(5) as f64 - 2.0).collect()
}

fn check<R: Number>(program: &Program, dims: &[usize], reads: &[&[f64]], before: &[f64]) {
    let kernel = Kernel::Map(MapKernel { dims: dims.to_vec(), program: program.clone() });
    let expected = naive::map(program, dims, reads, before);
    at_every_level(|isa| {
        let found = run_on(Cpu::<R>::new().with_isa(isa), kernel.clone(), reads, before);
        assert_eq!(found, expected, "{kernel:?}");
    });
}

#[test]
fn maps_evaluate_random_programs_over_random_views_exactly() {
    let mut random = Random::new(10);
    for _ in 0..400 {
        let dims = random_dims(&mut random);
        let (program, lens) = random_program(&mut random, &dims, true);
        let reads: Vec<Vec<f64>> = lens.iter().map(|&len| whole_numbers(&mut random, len)).collect();
        let reads: Vec<&[f64]> = reads.iter().map(Vec::as_slice).collect();
        let before = whole_numbers(&mut random, dims.iter().product());
        check::<f64>(&program, &dims, &reads, &before);
        check::<f32>(&program, &dims, &reads, &before);
    }
}

/// `instr` of so many vectors of `len` numbers, each loaded in its turn.
pub(crate) fn map_of(instr: Instr, operands: usize, len: usize) -> Kernel {
    let dims = vec![len];
    let leaf = |read| Leaf { source: Source::Read(read), view: View::contiguous(&dims) };
    let code = (0..operands).map(Instr::Load).chain([instr]).collect();
    let program = Program { leaves: (0..operands).map(leaf).collect(), code };
    Kernel::Map(MapKernel { dims, program })
}

fn apply<R: Number>(isa: Isa, op: Unary, x: &[f64]) -> Vec<f64> {
    run::<R>(isa, map_of(Instr::Unary(op, 0), 1, x.len()), &[x], x.len())
}

pub(crate) const UNARY: [Unary; 16] = [
    Unary::Neg,
    Unary::Exp,
    Unary::Log,
    Unary::Sqrt,
    Unary::Rsqrt,
    Unary::Tanh,
    Unary::Sigmoid,
    Unary::Erf,
    Unary::Abs,
    Unary::Powi(0),
    Unary::Powi(1),
    Unary::Powi(2),
    Unary::Powi(5),
    Unary::Powi(-2),
    Unary::Step,
    Unary::Sign,
];

/// Every exponent with both signs and many mantissas, and the special values.
pub(crate) fn all_magnitudes() -> Vec<f64> {
    let mut values = vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for exponent in 0..255u32 {
        for i in 0..200u32 {
            let mantissa = i.wrapping_mul(41_943) & 0x7f_ffff;
            let x = f64::from(f32::from_bits(exponent << 23 | mantissa));
            values.extend([x, -x]);
        }
    }
    // Where exp, tanh and the logistic function change.
    values.extend((-110_000..110_000).map(|i| f64::from(i as f32 * 1e-3)));
    values
}

/// Units in the last place of the `f32` nearest to `exact` that `found` is away from it.
fn ulps(found: f64, exact: f64) -> f64 {
    let nearest = exact as f32;
    if (exact.is_nan() && found.is_nan()) || f64::from(nearest) == found {
        return 0.0;
    }
    if !nearest.is_finite() || !found.is_finite() {
        return f64::INFINITY;
    }
    let magnitude = f64::from(nearest.abs());
    let ulp = f64::from(f32::from_bits((magnitude as f32).to_bits() + 1)) - magnitude;
    ((found - exact) / ulp).abs()
}

#[test]
fn f32_functions_are_good_to_a_few_units_in_the_last_place_everywhere() {
    let x = all_magnitudes();
    for (op, limit) in [
        (Unary::Exp, 2.0),
        (Unary::Log, 2.0),
        (Unary::Tanh, 3.0),
        (Unary::Sigmoid, 3.0),
        (Unary::Erf, 3.0),
        (Unary::Sqrt, 0.5),
        (Unary::Rsqrt, 1.5),
        (Unary::Powi(2), 0.5),
        (Unary::Powi(3), 2.0),
        (Unary::Powi(-1), 0.5),
    ] {
        at_every_level(|isa| {
            let mut worst = (0.0, 0.0);
            for (&x, found) in x.iter().zip(apply::<f32>(isa, op, &x)) {
                let off = ulps(found, naive::unary(op, x));
                if off > worst.0 {
                    worst = (off, x);
                }
            }
            assert!(worst.0 <= limit, "{op:?}({:e}) is off by {} ulp", worst.1, worst.0);
        });
    }
}

#[test]
fn f64_functions_agree_with_the_standard_library() {
    let x = all_magnitudes();
    for op in UNARY {
        at_every_level(|isa| {
            for (&x, found) in x.iter().zip(apply::<f64>(isa, op, &x)) {
                let exact = naive::unary(op, x);
                let same = found == exact || (found.is_nan() && exact.is_nan());
                let close = (found - exact).abs() <= 4.0 * f64::EPSILON * exact.abs();
                assert!(same || close, "{op:?}({x:e}) is {found:e}, not {exact:e}");
            }
        });
    }
}

#[test]
fn comparisons_with_nan_are_false_and_select_never_mixes() {
    at_every_level(|isa| {
        check_nan::<f32>(isa);
        check_nan::<f64>(isa);
    });
}

fn check_nan<R: Number>(isa: Isa) {
    let nan = f64::NAN;
    let evaluate = |instr: Instr, reads: &[&[f64]]| run::<R>(isa, map_of(instr, reads.len(), 4), reads, 4);
    let (a, b) = ([nan, 1.0, nan, 1.0], [1.0, nan, nan, 2.0]);
    assert_eq!(evaluate(Instr::Binary(Binary::Less, 0, 1), &[&a, &b]), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(evaluate(Instr::Binary(Binary::Equal, 0, 1), &[&a, &b]), [0.0; 4]);
    assert_eq!(evaluate(Instr::Unary(Unary::Step, 0), &[&a]), [0.0, 1.0, 0.0, 1.0]);
    for op in [Binary::Max, Binary::Min, Binary::Add, Binary::Mul] {
        let found = evaluate(Instr::Binary(op, 0, 1), &[&a, &b]);
        assert!(found[..3].iter().all(|v| v.is_nan()) && !found[3].is_nan(), "{op:?}: {found:?}");
    }
    let mask = [1.0, 0.0, -3.0, 0.0];
    let chosen = [5.0, nan, 6.0, f64::INFINITY];
    let other = [nan, 7.0, f64::INFINITY, 8.0];
    assert_eq!(evaluate(Instr::Select(0, 1, 2), &[&mask, &chosen, &other]), [5.0, 7.0, 6.0, 8.0]);
}

/// Tiles of the map lie in memory that other steps of the plan need more of.
#[test]
fn a_transposed_map_beside_a_large_product_reads_its_own_tiles() {
    let mut tape = Tape::new();
    let x = tape.input(&[1, 90, 300]);
    let turned = tape.permute(x, &[0, 2, 1]);
    let square = tape.mul(turned, turned);
    let product = tape.matmul(square, x);
    let values: Vec<f64> = (0..90 * 300).map(|i| f64::from(i % 17) - 8.0).collect();
    at_every_level(|isa| {
        let plan = Plan::new(&tape, &[square, product], &[]);
        let mut executable = Cpu::<f64>::new().with_isa(isa).compile_typed(&plan).expect("the plan is sound");
        executable.write_typed(x, &values).expect("the input is the plan's");
        executable.run(1).expect("the plan runs");
        let square = executable.read_typed(square).expect("the output is kept");
        for (i, square) in square.iter().enumerate() {
            assert_eq!(*square, values[i % 90 * 300 + i / 90].powi(2), "element {i}");
        }
        let product = executable.read_typed(product).expect("the output is kept");
        let expected: f64 = (0..90).map(|k| square[k] * values[k * 300]).sum();
        assert_eq!(product[0], expected);
    });
}
