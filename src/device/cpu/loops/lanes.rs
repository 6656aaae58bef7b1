//! The pointwise functions and folds over one block of elements: each loop is one instruction of a fused program.

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

/// `y[i] = f(i-th of the operands)`, all of which are as long as y.
#[inline(always)]
fn each<S: Simd, R: Real, A: Read<S, R>, const N: usize>(
    simd: S,
    operands: [A; N],
    y: &mut [R],
    f: impl Fn([V<S, R>; N]) -> V<S, R>,
) {
    let (width, count) = (len::<S, R>(), y.len());
    let whole = count - count % width;
    for at in (0..whole).step_by(width) {
        // SAFETY: the callers cut every slice to y's length.
        unsafe { store::<S, R>(f(operands.map(|a| a.whole(simd, at))), y.as_mut_ptr().add(at)) };
    }
    if whole < count {
        let rest = f(operands.map(|a| a.rest(simd, whole)));
        y[whole..].iter_mut().enumerate().for_each(|(i, y)| *y = rest[i]);
    }
}

/// As [`each`], of two operands of different kinds.
#[inline(always)]
fn each_pair<S: Simd, R: Real>(
    simd: S,
    a: impl Read<S, R>,
    b: impl Read<S, R>,
    y: &mut [R],
    f: impl Fn(V<S, R>, V<S, R>) -> V<S, R>,
) {
    let (width, count) = (len::<S, R>(), y.len());
    let whole = count - count % width;
    for at in (0..whole).step_by(width) {
        // SAFETY: the callers cut every slice to y's length.
        unsafe { store::<S, R>(f(a.whole(simd, at), b.whole(simd, at)), y.as_mut_ptr().add(at)) };
    }
    if whole < count {
        let rest = f(a.rest(simd, whole), b.rest(simd, whole));
        y[whole..].iter_mut().enumerate().for_each(|(i, y)| *y = rest[i]);
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

/// [`larger`] of two numbers.
#[inline(always)]
fn larger_of<R: Real>(a: R, b: R) -> R {
    if a > b || a.is_nan() { a } else { b }
}

#[inline(always)]
fn unary_loop<S: Simd, R: Real>(simd: S, op: Unary, x: &[R], y: &mut [R]) {
    let x = [&x[..y.len()]];
    let one = splat::<S, R>(simd, R::one());
    let zero = R::zero();
    match op {
        Unary::Neg => each(simd, x, y, |[x]| -x),
        Unary::Exp => each(simd, x, y, |[x]| R::exponential(simd, x)),
        Unary::Log => each(simd, x, y, |[x]| R::logarithm(simd, x)),
        Unary::Sqrt => each(simd, x, y, |[x]| x.sqrt()),
        Unary::Rsqrt => each(simd, x, y, |[x]| one / x.sqrt()),
        Unary::Tanh => each(simd, x, y, |[x]| R::hyperbolic_tangent(simd, x)),
        Unary::Sigmoid => each(simd, x, y, |[x]| R::logistic(simd, x)),
        Unary::Erf => each(simd, x, y, |[x]| R::error_function(simd, x)),
        Unary::Abs => each(simd, x, y, |[x]| x.abs()),
        Unary::Powi(2) => each(simd, x, y, |[x]| x * x),
        Unary::Powi(3) => each(simd, x, y, |[x]| x * x * x),
        Unary::Powi(-1) => each(simd, x, y, |[x]| one / x),
        Unary::Powi(n) => each(simd, x, y, |[x]| {
            let mut power = one;
            for _ in 0..n.unsigned_abs() {
                power *= x;
            }
            if n < 0 { one / power } else { power }
        }),
        Unary::Step => each(simd, x, y, |[x]| ones::<S, R>(simd, x.simd_gt(zero))),
        Unary::Sign => {
            each(simd, x, y, |[x]| ones::<S, R>(simd, x.simd_gt(zero)) - ones::<S, R>(simd, x.simd_lt(zero)))
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
        Binary::Add => each_pair(simd, a, b, y, |a, b| a + b),
        Binary::Sub => each_pair(simd, a, b, y, |a, b| a - b),
        Binary::Mul => each_pair(simd, a, b, y, |a, b| a * b),
        Binary::Div => each_pair(simd, a, b, y, |a, b| a / b),
        Binary::Max => each_pair(simd, a, b, y, larger::<S, R>),
        Binary::Min => each_pair(simd, a, b, y, smaller::<S, R>),
        Binary::Less => each_pair(simd, a, b, y, |a, b| ones::<S, R>(simd, a.simd_lt(b))),
        Binary::Equal => each_pair(simd, a, b, y, |a, b| ones::<S, R>(simd, a.simd_eq(b))),
    }
}

#[inline(always)]
fn select_loop<S: Simd, R: Real>(simd: S, mask: &[R], a: &[R], b: &[R], y: &mut [R]) {
    let zero = R::zero();
    let operands = [mask, a, b].map(|operand| &operand[..y.len()]);
    each(simd, operands, y, |[mask, a, b]| mask.simd_ne(zero).select(a, b));
}

#[inline(always)]
fn max_into_loop<S: Simd, R: Real>(simd: S, x: &[R], y: &mut [R]) {
    update(simd, x, y, larger::<S, R>);
}

#[inline(always)]
fn add_multiple_loop<S: Simd, R: Real>(simd: S, factor: R, x: &[R], y: &mut [R]) {
    let factor = splat::<S, R>(simd, factor);
    update(simd, x, y, |x, y| factor.mul_add(x, y));
}

/// `y[i] = f(x[i], y[i])`, as far as both reach.
#[inline(always)]
fn update<S: Simd, R: Real>(simd: S, x: &[R], y: &mut [R], f: impl Fn(V<S, R>, V<S, R>) -> V<S, R>) {
    let (width, count) = (len::<S, R>(), x.len().min(y.len()));
    let (x, y) = (&x[..count], &mut y[..count]);
    let whole = count - count % width;
    for at in (0..whole).step_by(width) {
        // SAFETY: the vectors lie in both.
        unsafe {
            let to = y.as_mut_ptr().add(at);
            store::<S, R>(f(load(simd, x.as_ptr().add(at)), load(simd, to)), to);
        }
    }
    if whole < count {
        let rest = f(x.rest(simd, whole), (&*y).rest(simd, whole));
        y[whole..].iter_mut().enumerate().for_each(|(i, y)| *y = rest[i]);
    }
}

#[inline(always)]
fn sum_loop<S: Simd, R: Real>(simd: S, x: &[R]) -> R {
    fold(simd, [x], R::zero(), |sum, [x]| sum + x, |a, b| a + b, |a, b| a + b)
}

#[inline(always)]
fn max_loop<S: Simd, R: Real>(simd: S, x: &[R]) -> R {
    fold(simd, [x], R::neg_infinity(), |most, [x]| larger::<S, R>(most, x), larger::<S, R>, larger_of)
}

#[inline(always)]
fn dot_loop<S: Simd, R: Real>(simd: S, a: &[R], b: &[R]) -> R {
    let count = a.len().min(b.len());
    fold(
        simd,
        [&a[..count], &b[..count]],
        R::zero(),
        |sum, [a, b]| a.mul_add(b, sum),
        |a, b| a + b,
        |a, b| a + b,
    )
}

/// Takes the elements of operands of one length into [`LANES`] totals, which are combined by halves; then those that are left
/// over, one by one.
#[inline(always)]
fn fold<S: Simd, R: Real, const N: usize>(
    simd: S,
    operands: [&[R]; N],
    start: R,
    take: impl Fn(V<S, R>, [V<S, R>; N]) -> V<S, R>,
    combine: impl Fn(V<S, R>, V<S, R>) -> V<S, R>,
    combine_one: impl Fn(R, R) -> R,
) -> R {
    let width = len::<S, R>();
    let rows = operands[0].len() / LANES;
    // The first lane of the vectors of one element each.
    let mut rest = splat::<S, R>(simd, start);
    for at in rows * LANES..operands[0].len() {
        rest = take(rest, operands.map(|operand| splat(simd, operand[at])));
    }
    if rows == 0 {
        return rest[0];
    }
    let mut lanes = [start; LANES];
    if width * VECTORS > LANES {
        fold_rows::<S, R, N, { VECTORS / 2 }>(simd, operands, rows, &mut lanes, take);
    } else {
        fold_rows::<S, R, N, VECTORS>(simd, operands, rows, &mut lanes, take);
    }
    let mut half = LANES / 2;
    while half >= width {
        let (low, high) = lanes.split_at_mut(half);
        for at in (0..half).step_by(width) {
            let both = combine(first::<S, R>(simd, &low[at..]), first::<S, R>(simd, &high[at..]));
            put::<S, R>(both, &mut low[at..]);
        }
        half /= 2;
    }
    while half > 0 {
        for i in 0..half {
            lanes[i] = combine_one(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    combine_one(lanes[0], rest[0])
}

/// Takes whole rows of [`LANES`] elements, `COUNT` vectors of each at a time.
#[inline(always)]
fn fold_rows<S: Simd, R: Real, const N: usize, const COUNT: usize>(
    simd: S,
    operands: [&[R]; N],
    rows: usize,
    lanes: &mut [R; LANES],
    take: impl Fn(V<S, R>, [V<S, R>; N]) -> V<S, R>,
) {
    let width = len::<S, R>();
    assert!(operands.iter().all(|operand| operand.len() >= rows * LANES));
    for part in (0..LANES).step_by(COUNT * width) {
        let mut totals: [V<S, R>; COUNT] = std::array::from_fn(|i| first(simd, &lanes[part + i * width..]));
        for row in 0..rows {
            for (i, total) in totals.iter_mut().enumerate() {
                let at = row * LANES + part + i * width;
                // SAFETY: the rows were asserted to be there, and a part lies in its row.
                *total =
                    take(*total, operands.map(|operand| unsafe { load(simd, operand.as_ptr().add(at)) }));
            }
        }
        for (i, total) in totals.into_iter().enumerate() {
            put::<S, R>(total, &mut lanes[part + i * width..]);
        }
    }
}
