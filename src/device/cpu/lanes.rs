//! The pointwise functions and folds over one block of elements.
//!
//! Everything here is inlined into the block functions of [`super::real`], which exist once for each
//! instruction set; each loop is one instruction of a fused program.

use std::iter::repeat;

use super::real::Real;
use crate::tape::op::{Binary, Unary};

/// Partial sums that a fold keeps, enough to fill the widest vectors four times over.
const LANES: usize = 64;

/// `a·b + c`, rounded once where the processor does that in one instruction.
#[inline(always)]
pub fn multiply_add<R: Real, const FUSED: bool>(a: R, b: R, c: R) -> R {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
fn each<R: Real>(x: &[R], y: &mut [R], f: impl Fn(R) -> R) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

#[inline(always)]
fn each_pair<R: Real>(
    a: impl Iterator<Item = R>,
    b: impl Iterator<Item = R>,
    y: &mut [R],
    f: impl Fn(R, R) -> R,
) {
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        *y = f(a, b);
    }
}

#[inline(always)]
fn mask<R: Real>(condition: bool) -> R {
    if condition { R::one() } else { R::zero() }
}

/// The larger; NaN if either is.
#[inline(always)]
pub fn larger<R: Real>(a: R, b: R) -> R {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller; NaN if either is.
#[inline(always)]
fn smaller<R: Real>(a: R, b: R) -> R {
    if a < b || a.is_nan() { a } else { b }
}

#[inline(always)]
pub fn unary<R: Real>(op: Unary, x: &[R], y: &mut [R]) {
    match op {
        Unary::Neg => each(x, y, |x| -x),
        Unary::Exp => each(x, y, R::exponential),
        Unary::Log => each(x, y, R::logarithm),
        Unary::Sqrt => each(x, y, R::sqrt),
        Unary::Rsqrt => each(x, y, |x| R::one() / x.sqrt()),
        Unary::Tanh => each(x, y, R::hyperbolic_tangent),
        Unary::Sigmoid => each(x, y, R::logistic),
        Unary::Erf => each(x, y, R::error_function),
        Unary::Abs => each(x, y, R::abs),
        Unary::Powi(n) => powers(n, x, y),
        Unary::Step => each(x, y, |x| mask(x > R::zero())),
        Unary::Sign => each(x, y, |x| mask::<R>(x > R::zero()) - mask(x < R::zero())),
    }
}

/// `xⁿ` by repeated multiplication; a negative power is the reciprocal.
#[inline(always)]
fn powers<R: Real>(n: i32, x: &[R], y: &mut [R]) {
    match n {
        2 => each(x, y, |x| x * x),
        3 => each(x, y, |x| x * x * x),
        -1 => each(x, y, |x| R::one() / x),
        _ => {
            y.fill(R::one());
            for _ in 0..n.unsigned_abs() {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = *y * x;
                }
            }
            if n < 0 {
                for y in y {
                    *y = R::one() / *y;
                }
            }
        }
    }
}

#[inline(always)]
pub fn binary<R: Real>(op: Binary, a: &[R], b: &[R], y: &mut [R]) {
    operate(op, a.iter().copied(), b.iter().copied(), y);
}

#[inline(always)]
pub fn binary_of_scalar<R: Real>(op: Binary, a: R, b: &[R], y: &mut [R]) {
    operate(op, repeat(a), b.iter().copied(), y);
}

#[inline(always)]
pub fn binary_with_scalar<R: Real>(op: Binary, a: &[R], b: R, y: &mut [R]) {
    operate(op, a.iter().copied(), repeat(b), y);
}

#[inline(always)]
fn operate<R: Real>(op: Binary, a: impl Iterator<Item = R>, b: impl Iterator<Item = R>, y: &mut [R]) {
    match op {
        Binary::Add => each_pair(a, b, y, |a, b| a + b),
        Binary::Sub => each_pair(a, b, y, |a, b| a - b),
        Binary::Mul => each_pair(a, b, y, |a, b| a * b),
        Binary::Div => each_pair(a, b, y, |a, b| a / b),
        Binary::Max => each_pair(a, b, y, larger),
        Binary::Min => each_pair(a, b, y, smaller),
        Binary::Less => each_pair(a, b, y, |a, b| mask(a < b)),
        Binary::Equal => each_pair(a, b, y, |a, b| mask(a == b)),
    }
}

#[inline(always)]
pub fn select<R: Real>(mask: &[R], a: &[R], b: &[R], y: &mut [R]) {
    for (((y, &m), &a), &b) in y.iter_mut().zip(mask).zip(a).zip(b) {
        *y = if m != R::zero() { a } else { b };
    }
}

#[inline(always)]
fn fold<R: Real>(x: &[R], start: R, combine: impl Fn(R, R) -> R) -> R {
    if x.len() < LANES {
        return x.iter().fold(start, |sum, &x| combine(sum, x));
    }
    let mut lanes = [start; LANES];
    let mut rows = x.chunks_exact(LANES);
    for row in &mut rows {
        for (lane, &x) in lanes.iter_mut().zip(row) {
            *lane = combine(*lane, x);
        }
    }
    let rest = rows.remainder().iter().fold(start, |sum, &x| combine(sum, x));
    combine(halve(lanes, &combine), rest)
}

/// All lanes in one, by halves.
#[inline(always)]
fn halve<R: Real>(mut lanes: [R; LANES], combine: &impl Fn(R, R) -> R) -> R {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = combine(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
pub fn dot<R: Real, const FUSED: bool>(a: &[R], b: &[R]) -> R {
    let (a_rows, a_rest) = a.as_chunks::<LANES>();
    let (b_rows, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [R::zero(); LANES];
    for (a, b) in a_rows.iter().zip(b_rows) {
        for lane in 0..LANES {
            lanes[lane] = multiply_add::<R, FUSED>(a[lane], b[lane], lanes[lane]);
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(R::zero(), |sum, (&a, &b)| multiply_add::<R, FUSED>(a, b, sum));
    halve(lanes, &|a, b| a + b) + rest
}

#[inline(always)]
pub fn sum<R: Real>(x: &[R]) -> R {
    fold(x, R::zero(), |a, b| a + b)
}

#[inline(always)]
pub fn max_of<R: Real>(x: &[R]) -> R {
    fold(x, R::neg_infinity(), larger)
}

#[inline(always)]
pub fn add_multiple<R: Real, const FUSED: bool>(factor: R, x: &[R], y: &mut [R]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = multiply_add::<R, FUSED>(factor, x, *y);
    }
}
