//! The pointwise functions over one block of elements: each loop is one instruction of a fused program.

use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

use crate::{
    device::cpu::vectors::{Real, V, len, load, made_of, splat, store, vectorized},
    tape::op::{Binary, Unary},
};

vectorized! {
    /// `y[i] = op(x[i])`
    pub(crate) fn unary(op: Unary, x: &[R], y: &mut [R]) = unary_loop;
    /// `y[i] = op(a[i], b[i])`
    pub(crate) fn binary(op: Binary, a: &[R], b: &[R], y: &mut [R]) = binary_loop;
    /// `y[i] = op(a, b[i])`
    pub(crate) fn binary_of_scalar(op: Binary, a: R, b: &[R], y: &mut [R]) = binary_of_scalar_loop;
    /// `y[i] = op(a[i], b)`
    pub(crate) fn binary_with_scalar(op: Binary, a: &[R], b: R, y: &mut [R]) = binary_with_scalar_loop;
    /// `y[i] = a[i]` where `mask[i]` ≠ 0, else `b[i]`
    pub(crate) fn select(mask: &[R], a: &[R], b: &[R], y: &mut [R]) = select_loop;
    /// `y[i] = max(x[i], y[i])`, NaN if either is.
    pub(crate) fn max_into(x: &[R], y: &mut [R]) = max_into_loop;
    /// `y[i] += factor·x[i]`
    pub(crate) fn add_multiple(factor: R, x: &[R], y: &mut [R]) = add_multiple_loop;
}

/// Where a loop reads.
trait Read<S: Simd, R: Real>: Copy {
    /// The vector from element `at` on.
    ///
    /// # Safety
    /// It must be there.
    unsafe fn whole(self, simd: S, at: usize) -> V<S, R>;
    /// The elements from `at` on, and zeros.
    fn rest(self, simd: S, at: usize) -> V<S, R>;
}

impl<S: Simd, R: Real> Read<S, R> for &[R] {
    #[inline(always)]
    unsafe fn whole(self, simd: S, at: usize) -> V<S, R> {
        // SAFETY: the caller's promise.
        unsafe { load(simd, self.as_ptr().add(at)) }
    }

    #[inline(always)]
    fn rest(self, simd: S, at: usize) -> V<S, R> {
        let rest = &self[at..];
        made_of::<S, R>(simd, |i| rest.get(i).copied().unwrap_or(R::zero()))
    }
}

/// One number everywhere.
#[derive(Clone, Copy)]
struct Same<R>(R);

impl<S: Simd, R: Real> Read<S, R> for Same<R> {
    #[inline(always)]
    unsafe fn whole(self, simd: S, _: usize) -> V<S, R> {
        splat(simd, self.0)
    }

    #[inline(always)]
    fn rest(self, simd: S, _: usize) -> V<S, R> {
        splat(simd, self.0)
    }
}

/// `y[i] = value`, where each operand is its i-th element, vector by vector. All are as long as y. A macro, since closures are not
/// always inlined.
macro_rules! each {
    ($simd:ident, $y:ident, $($operand:ident),+ => $value:expr) => {{
        let mut at = 0;
        while at < $y.len() {
            if $y.len() - at < len::<S, R>() && $y.len() >= len::<S, R>() {
                // Some elements again: the last ones fill no vector.
                at = $y.len() - len::<S, R>();
            }
            let whole = $y.len() - at >= len::<S, R>();
            // SAFETY: the callers cut every slice to y's length.
            $(let $operand = if whole { unsafe { $operand.whole($simd, at) } } else { $operand.rest($simd, at) };)+
            write::<S, R>($value, $y, at);
            at += len::<S, R>();
        }
    }};
}

/// Writes as much of a vector from element `at` on as the slice has room for.
#[inline(always)]
fn write<S: Simd, R: Real>(value: V<S, R>, y: &mut [R], at: usize) {
    if y.len() - at >= len::<S, R>() {
        // SAFETY: the vector lies in y.
        unsafe { store::<S, R>(value, y.as_mut_ptr().add(at)) };
    } else {
        y[at..].iter_mut().enumerate().for_each(|(i, y)| *y = value[i]);
    }
}

/// 1 where the condition holds, else 0.
#[inline(always)]
fn ones<S: Simd, R: Real>(simd: S, mask: <V<S, R> as SimdBase<S>>::Mask) -> V<S, R> {
    mask.select(splat::<S, R>(simd, R::one()), splat::<S, R>(simd, R::zero()))
}

/// The larger; NaN if either is.
#[inline(always)]
pub(crate) fn larger<S: Simd, R: Real>(a: V<S, R>, b: V<S, R>) -> V<S, R> {
    (a.simd_gt(b) | a.is_nan()).select(a, b)
}

/// The smaller; NaN if either is.
#[inline(always)]
fn smaller<S: Simd, R: Real>(a: V<S, R>, b: V<S, R>) -> V<S, R> {
    (a.simd_lt(b) | a.is_nan()).select(a, b)
}

#[inline(always)]
fn unary_loop<S: Simd, R: Real>(simd: S, op: Unary, x: &[R], y: &mut [R]) {
    let x = &x[..y.len()];
    let one = splat::<S, R>(simd, R::one());
    let zero = R::zero();
    match op {
        Unary::Neg => each!(simd, y, x => -x),
        Unary::Exp => each!(simd, y, x => R::exponential(simd, x)),
        Unary::Log => each!(simd, y, x => R::logarithm(simd, x)),
        Unary::Sqrt => each!(simd, y, x => x.sqrt()),
        Unary::Rsqrt => each!(simd, y, x => one / x.sqrt()),
        Unary::Tanh => each!(simd, y, x => R::hyperbolic_tangent(simd, x)),
        Unary::Sigmoid => each!(simd, y, x => R::logistic(simd, x)),
        Unary::Erf => each!(simd, y, x => R::error_function(simd, x)),
        Unary::Abs => each!(simd, y, x => x.abs()),
        Unary::Powi(2) => each!(simd, y, x => x * x),
        Unary::Powi(3) => each!(simd, y, x => x * x * x),
        Unary::Powi(-1) => each!(simd, y, x => one / x),
        Unary::Powi(n) => each!(simd, y, x => {
            let mut power = one;
            for _ in 0..n.unsigned_abs() {
                power *= x;
            }
            if n < 0 { one / power } else { power }
        }),
        Unary::Step => each!(simd, y, x => ones::<S, R>(simd, x.simd_gt(zero))),
        Unary::Sign => {
            each!(simd, y, x => ones::<S, R>(simd, x.simd_gt(zero)) - ones::<S, R>(simd, x.simd_lt(zero)))
        }
    }
}

#[inline(always)]
fn binary_loop<S: Simd, R: Real>(simd: S, op: Binary, a: &[R], b: &[R], y: &mut [R]) {
    operate(simd, op, &a[..y.len()], &b[..y.len()], y);
}

#[inline(always)]
fn binary_of_scalar_loop<S: Simd, R: Real>(simd: S, op: Binary, a: R, b: &[R], y: &mut [R]) {
    operate(simd, op, Same(a), &b[..y.len()], y);
}

#[inline(always)]
fn binary_with_scalar_loop<S: Simd, R: Real>(simd: S, op: Binary, a: &[R], b: R, y: &mut [R]) {
    operate(simd, op, &a[..y.len()], Same(b), y);
}

#[inline(always)]
fn operate<S: Simd, R: Real>(simd: S, op: Binary, a: impl Read<S, R>, b: impl Read<S, R>, y: &mut [R]) {
    match op {
        Binary::Add => each!(simd, y, a, b => a + b),
        Binary::Sub => each!(simd, y, a, b => a - b),
        Binary::Mul => each!(simd, y, a, b => a * b),
        Binary::Div => each!(simd, y, a, b => a / b),
        Binary::Max => each!(simd, y, a, b => larger::<S, R>(a, b)),
        Binary::Min => each!(simd, y, a, b => smaller::<S, R>(a, b)),
        Binary::Less => each!(simd, y, a, b => ones::<S, R>(simd, a.simd_lt(b))),
        Binary::Equal => each!(simd, y, a, b => ones::<S, R>(simd, a.simd_eq(b))),
    }
}

#[inline(always)]
fn select_loop<S: Simd, R: Real>(simd: S, mask: &[R], a: &[R], b: &[R], y: &mut [R]) {
    let zero = R::zero();
    let (mask, a, b) = (&mask[..y.len()], &a[..y.len()], &b[..y.len()]);
    each!(simd, y, mask, a, b => mask.simd_ne(zero).select(a, b));
}

/// `y[i] = value` of `x[i]` and `y[i]`, as far as both reach.
macro_rules! update {
    ($simd:ident, $x:ident, $y:ident => $value:expr) => {{
        let count = $x.len().min($y.len());
        let (from, to) = (&$x[..count], &mut $y[..count]);
        let mut at = 0;
        while count - at >= len::<S, R>() {
            // SAFETY: a whole vector lies in both.
            let ($x, $y) = unsafe { (from.whole($simd, at), (&*to).whole($simd, at)) };
            write::<S, R>($value, to, at);
            at += len::<S, R>();
        }
        if at < count {
            let ($x, $y) = (from.rest($simd, at), (&*to).rest($simd, at));
            write::<S, R>($value, to, at);
        }
    }};
}

#[inline(always)]
fn max_into_loop<S: Simd, R: Real>(simd: S, x: &[R], y: &mut [R]) {
    update!(simd, x, y => larger::<S, R>(x, y));
}

#[inline(always)]
fn add_multiple_loop<S: Simd, R: Real>(simd: S, factor: R, x: &[R], y: &mut [R]) {
    let factor = splat::<S, R>(simd, factor);
    update!(simd, x, y => factor.mul_add(x, y));
}
