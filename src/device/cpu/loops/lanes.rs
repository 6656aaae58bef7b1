//! The pointwise functions and folds over one block of elements: each loop is one instruction of a fused program.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

use crate::{
    device::cpu::vectors::{Real, V, first, len, load, put, splat, store, vectorized},
    tape::op::{Binary, Unary},
};

/// Partial sums that a fold keeps: the order of additions is the same for vectors of every width.
const LANES: usize = 64;
/// Vectors of them that are kept in registers at most.
const VECTORS: usize = 8;

vectorized! {
    /// `y[i] = op(x[i])`
    pub fn unary(op: Unary, x: &[R], y: &mut [R]) = unary_loop;
    /// `y[i] = op(a[i], b[i])`
    pub fn binary(op: Binary, a: &[R], b: &[R], y: &mut [R]) = binary_loop;
    /// `y[i] = op(a, b[i])`
    pub fn binary_of_scalar(op: Binary, a: R, b: &[R], y: &mut [R]) = binary_of_scalar_loop;
    /// `y[i] = op(a[i], b)`
    pub fn binary_with_scalar(op: Binary, a: &[R], b: R, y: &mut [R]) = binary_with_scalar_loop;
    /// `y[i] = a[i]` where `mask[i]` ≠ 0, else `b[i]`
    pub fn select(mask: &[R], a: &[R], b: &[R], y: &mut [R]) = select_loop;
    /// Sum in a fixed order that depends on the length alone.
    pub fn sum(x: &[R]) -> R = sum_loop;
    /// Largest element, −∞ of none; NaN if there is one.
    pub fn max_of(x: &[R]) -> R = max_loop;
    /// `y[i] = max(x[i], y[i])`, NaN if either is.
    pub fn max_into(x: &[R], y: &mut [R]) = max_into_loop;
    /// `Σ a[i]·b[i]` in a fixed order that depends on the length alone.
    pub fn dot(a: &[R], b: &[R]) -> R = dot_loop;
    /// `y[i] += factor·x[i]`
    pub fn add_multiple(factor: R, x: &[R], y: &mut [R]) = add_multiple_loop;
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
        V::<S, R>::from_fn(simd, |i| rest.get(i).copied().unwrap_or(R::zero()))
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
fn larger<S: Simd, R: Real>(a: V<S, R>, b: V<S, R>) -> V<S, R> {
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
        while at < count {
            // SAFETY: a whole vector lies in both.
            let ($x, $y) = match count - at >= len::<S, R>() {
                true => unsafe { (from.whole($simd, at), (&*to).whole($simd, at)) },
                false => (from.rest($simd, at), (&*to).rest($simd, at)),
            };
            write::<S, R>($value, to, at);
            at += len::<S, R>();
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

/// What a fold makes of its elements.
trait Fold<S: Simd, R: Real, const N: usize> {
    /// The total with an element of each operand.
    fn take(total: V<S, R>, values: [V<S, R>; N]) -> V<S, R>;
    /// Two totals in one.
    fn both(a: V<S, R>, b: V<S, R>) -> V<S, R>;
    /// As [`Fold::both`].
    fn one(a: R, b: R) -> R;
}

/// The folds that add up: how an element is taken in.
macro_rules! sums {
    ($name:ident, $count:literal, |$total:ident, $values:ident| $value:expr) => {
        struct $name;

        impl<S: Simd, R: Real> Fold<S, R, $count> for $name {
            #[inline(always)]
            fn take($total: V<S, R>, $values: [V<S, R>; $count]) -> V<S, R> {
                $value
            }
            #[inline(always)]
            fn both(a: V<S, R>, b: V<S, R>) -> V<S, R> {
                a + b
            }
            #[inline(always)]
            fn one(a: R, b: R) -> R {
                a + b
            }
        }
    };
}

sums!(Sum, 1, |total, values| total + values[0]);
sums!(Dot, 2, |total, values| values[0].mul_add(values[1], total));

struct Largest;

impl<S: Simd, R: Real> Fold<S, R, 1> for Largest {
    #[inline(always)]
    fn take(total: V<S, R>, values: [V<S, R>; 1]) -> V<S, R> {
        larger::<S, R>(total, values[0])
    }
    #[inline(always)]
    fn both(a: V<S, R>, b: V<S, R>) -> V<S, R> {
        larger::<S, R>(a, b)
    }
    #[inline(always)]
    fn one(a: R, b: R) -> R {
        if a > b || a.is_nan() { a } else { b }
    }
}

#[inline(always)]
fn sum_loop<S: Simd, R: Real>(simd: S, x: &[R]) -> R {
    fold::<S, R, Sum, 1>(simd, [x], R::zero())
}

#[inline(always)]
fn max_loop<S: Simd, R: Real>(simd: S, x: &[R]) -> R {
    fold::<S, R, Largest, 1>(simd, [x], R::neg_infinity())
}

#[inline(always)]
fn dot_loop<S: Simd, R: Real>(simd: S, a: &[R], b: &[R]) -> R {
    let count = a.len().min(b.len());
    fold::<S, R, Dot, 2>(simd, [&a[..count], &b[..count]], R::zero())
}

/// Takes the elements of operands of one length into [`LANES`] totals, which are combined by halves; then those that are left
/// over, one by one.
#[inline(always)]
fn fold<S: Simd, R: Real, F: Fold<S, R, N>, const N: usize>(simd: S, operands: [&[R]; N], start: R) -> R {
    let width = len::<S, R>();
    let rows = operands[0].len() / LANES;
    // The first lane of the vectors of one element each.
    let mut rest = splat::<S, R>(simd, start);
    for at in rows * LANES..operands[0].len() {
        let mut values = [rest; N];
        for n in 0..N {
            values[n] = splat::<S, R>(simd, operands[n][at]);
        }
        rest = F::take(rest, values);
    }
    if rows == 0 {
        return rest[0];
    }
    let mut lanes = [start; LANES];
    if width * VECTORS > LANES {
        fold_rows::<S, R, F, N, { VECTORS / 2 }>(simd, operands, rows, &mut lanes);
    } else {
        fold_rows::<S, R, F, N, VECTORS>(simd, operands, rows, &mut lanes);
    }
    let mut half = LANES / 2;
    while half >= width {
        let (low, high) = lanes.split_at_mut(half);
        for at in (0..half).step_by(width) {
            let both = F::both(first::<S, R>(simd, &low[at..]), first::<S, R>(simd, &high[at..]));
            put::<S, R>(both, &mut low[at..]);
        }
        half /= 2;
    }
    while half > 0 {
        for i in 0..half {
            lanes[i] = F::one(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    F::one(lanes[0], rest[0])
}

/// Takes whole rows of [`LANES`] elements, `COUNT` vectors of each at a time.
#[inline(always)]
fn fold_rows<S: Simd, R: Real, F: Fold<S, R, N>, const N: usize, const COUNT: usize>(
    simd: S,
    operands: [&[R]; N],
    rows: usize,
    lanes: &mut [R; LANES],
) {
    let width = len::<S, R>();
    assert!(operands.iter().all(|operand| operand.len() >= rows * LANES));
    for part in (0..LANES).step_by(COUNT * width) {
        let mut totals = [splat::<S, R>(simd, R::zero()); COUNT];
        for i in 0..COUNT {
            totals[i] = first::<S, R>(simd, &lanes[part + i * width..]);
        }
        for row in 0..rows {
            for i in 0..COUNT {
                let at = row * LANES + part + i * width;
                let mut values = [totals[i]; N];
                for n in 0..N {
                    // SAFETY: the rows were asserted to be there, and a part lies in its row.
                    values[n] = unsafe { load::<S, R>(simd, operands[n].as_ptr().add(at)) };
                }
                totals[i] = F::take(totals[i], values);
            }
        }
        for i in 0..COUNT {
            put::<S, R>(totals[i], &mut lanes[part + i * width..]);
        }
    }
}
