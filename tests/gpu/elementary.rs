//! The scalar functions of fused expressions on the GPU: how accurate they are, and what they make of
//! NaN, infinities and zeros.

use crate::step_cases::{Case, EPSILON, Operand, fused, gpu, random, rng};
use gia_gpu::{
    plan::kernel::{Instr, Leaf, Program, Source, View},
    tape::op::{Binary, Unary},
};

/// An expression of as many vectors as it needs, on given values.
fn pointwise(operands: &[Vec<f32>], op: Instr) -> Case {
    let len = operands[0].len();
    let leaf = |i| Leaf { source: Source::Read(i), view: View::contiguous(&[len]) };
    let leaves: Vec<_> = (0..operands.len()).map(leaf).collect();
    let mut code: Vec<_> = (0..operands.len()).map(Instr::Load).collect();
    code.push(op);
    let case = fused::map(&format!("of {op:?}"), &[len], Program { leaves, code }, vec![]);
    Case { reads: operands.iter().map(|values| Operand::Values(values.clone())).collect(), ..case }
}

/// Magnitudes from 10^low to 10^high, of both signs if asked for, and a random crowd around 1.
fn spread(low: f64, high: f64, both_signs: bool) -> Vec<f32> {
    let mut values: Vec<_> =
        (0..2000).map(|i| 10f64.powf(low + (high - low) * f64::from(i) / 2000.0) as f32).collect();
    values.extend(random(&mut rng(7), 2000).iter().map(|v| 1.0 + v));
    if both_signs {
        values.extend(values.clone().iter().map(|v| -v));
    }
    values
}

/// Largest error over `values`, in roundings of the result.
fn check(op: Unary, values: Vec<f32>, roundings: f64) {
    let operands = [values];
    let case = pointwise(&operands, Instr::Unary(op, 0));
    let expected = case.twin(&operands);
    for checked in [false, true] {
        let found = case.run(gpu(checked), &operands);
        for ((&x, &found), &expected) in operands[0].iter().zip(&found).zip(&expected) {
            let error = (f64::from(found) - expected).abs();
            // Results below the smallest normal number may be flushed to zero.
            let bound = roundings * EPSILON * expected.abs() + 2.0 * f64::from(f32::MIN_POSITIVE);
            assert!(
                error <= bound,
                "{op:?}({x:e}) is {found:e}, not {expected:e}, off by {error:e} > {bound:e}"
            );
        }
    }
}

/// Normal numbers: subnormal ones may be flushed to zero.
fn positive() -> Vec<f32> {
    spread(-37.0, 38.0, false).into_iter().filter(|&x| x >= f32::MIN_POSITIVE).collect()
}

#[test]
fn exp_and_log_are_accurate_relative_to_their_result() {
    check(Unary::Exp, spread(-8.0, 1.9, true), 4.0);
    check(Unary::Log, positive(), 4.0);
}

#[test]
fn roots_are_accurate() {
    check(Unary::Sqrt, positive(), 8.0);
    check(Unary::Rsqrt, positive(), 8.0);
}

#[test]
fn tanh_sigmoid_and_erf_are_accurate_relative_to_their_result_and_never_overflow() {
    check(Unary::Tanh, spread(-30.0, 38.0, true), 8.0);
    check(Unary::Erf, spread(-30.0, 38.0, true), 8.0);
    check(Unary::Sigmoid, spread(-30.0, 38.0, true), 8.0);
}

#[test]
fn powers_are_repeated_multiplication() {
    for n in [-7, -2, -1, 0, 1, 2, 3, 4, 5, 11] {
        check(Unary::Powi(n), spread(-3.0, 3.0, true), 8.0 + 2.0 * f64::from(n.abs()));
    }
}

/// Equal, both NaN, or close; signs of infinities count, signs of zeros do not.
fn same(found: f32, expected: f64) -> bool {
    if expected.is_nan() || found.is_nan() {
        return expected.is_nan() && found.is_nan();
    }
    let expected = expected as f32;
    found == expected || (found - expected).abs() <= 1e-5 * expected.abs() + 8.0 * f32::MIN_POSITIVE
}

const SPECIAL: [f32; 15] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    1e-30,
    -1e-30,
    1e30,
    -1e30,
    f32::MAX,
    f32::MIN,
];

fn check_special(operands: &[Vec<f32>], op: Instr) {
    let case = pointwise(operands, op);
    let expected = case.twin(operands);
    for checked in [false, true] {
        let found = case.run(gpu(checked), operands);
        for i in 0..found.len() {
            let arguments: Vec<_> = operands.iter().map(|values| values[i]).collect();
            assert!(
                same(found[i], expected[i]),
                "{op:?} of {arguments:?} is {}, not {}",
                found[i],
                expected[i]
            );
        }
    }
}

#[test]
fn functions_of_one_number_keep_nan_and_infinities() {
    use Unary::*;
    let all = [Neg, Exp, Log, Sqrt, Rsqrt, Tanh, Sigmoid, Erf, Abs, Powi(2), Powi(3), Powi(-1), Step, Sign];
    for op in all {
        check_special(&[SPECIAL.to_vec()], Instr::Unary(op, 0));
    }
}

#[test]
fn functions_of_two_numbers_keep_nan_and_infinities() {
    use Binary::*;
    let first: Vec<_> = SPECIAL.iter().flat_map(|&a| [a; SPECIAL.len()]).collect();
    let second: Vec<_> = SPECIAL.iter().flat_map(|_| SPECIAL).collect();
    for op in [Add, Sub, Mul, Div, Max, Min, Less, Equal] {
        check_special(&[first.clone(), second.clone()], Instr::Binary(op, 0, 1));
    }
}

#[test]
fn select_takes_one_branch_whatever_the_other_holds() {
    let mask: Vec<_> = SPECIAL.iter().flat_map(|&mask| [mask; SPECIAL.len()]).collect();
    let special: Vec<_> = SPECIAL.iter().flat_map(|_| SPECIAL).collect();
    let ones = vec![1.0; mask.len()];
    check_special(&[mask.clone(), special.clone(), ones.clone()], Instr::Select(0, 1, 2));
    check_special(&[mask, ones, special], Instr::Select(0, 1, 2));
}

#[test]
fn a_maximum_over_nan_is_nan() {
    use gia_gpu::tape::op::Reduce;
    for len in [5, 1000, 100_000] {
        let leaf = Leaf { source: Source::Read(0), view: View::contiguous(&[1, len]) };
        let program = Program { leaves: vec![leaf], code: vec![Instr::Load(0)] };
        let case = fused::map_reduce(&[1, len], 1, Reduce::Max, program, vec![len]);
        for (hit, value) in [(0, f32::NAN), (len - 2, f32::NAN), (len / 2, f32::INFINITY)] {
            let mut values = random(&mut rng(1), len);
            values[hit] = value;
            let found = case.run(gpu(false), &[values])[0];
            assert_eq!(found.to_bits() & 0x7f80_0000, 0x7f80_0000, "{found} is finite");
            assert_eq!(found.is_nan(), value.is_nan());
        }
        let nothing_but_infinity = vec![f32::NEG_INFINITY; len];
        assert_eq!(case.run(gpu(false), &[nothing_but_infinity]), [f32::NEG_INFINITY]);
    }
}

#[test]
fn constants_are_exact() {
    for value in [1.0, -0.1, 1e-40, 3.402_823_4e38, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 16_777_217.0]
    {
        let program = Program { leaves: vec![], code: vec![Instr::Const(value)] };
        let case = fused::map("of a constant", &[3], program, vec![]);
        let found = case.run(gpu(false), &[]);
        assert!(
            found.iter().all(|f| f.to_bits() == (value as f32).to_bits() || f.is_nan() && value.is_nan())
        );
    }
    // Constant expressions that overflow are computed by the device, not refused by the shader compiler.
    let program = Program {
        leaves: vec![],
        code: vec![Instr::Const(1000.0), Instr::Unary(Unary::Exp, 0), Instr::Binary(Binary::Mul, 0, 1)],
    };
    let case = fused::map("of an overflow", &[1], program, vec![]);
    assert_eq!(case.run(gpu(false), &[]), [f32::INFINITY]);
}
