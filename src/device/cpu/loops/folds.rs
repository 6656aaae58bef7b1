//! Sums and maxima of one block of elements.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Simd, SimdFloat};

use super::lanes::larger;
use crate::device::cpu::vectors::{Real, V, first, len, load, put, splat, vectorized};

/// Partial sums that a fold keeps: the order of additions is the same for vectors of every width.
const LANES: usize = 64;
/// Vectors of them that are kept in registers at most.
const VECTORS: usize = 8;

vectorized! {
    /// Sum in a fixed order that depends on the length alone.
    pub(crate) fn sum(x: &[R]) -> R = sum_loop;
    /// Largest element, −∞ of none; NaN if there is one.
    pub(crate) fn max_of(x: &[R]) -> R = max_loop;
    /// `Σ a[i]·b[i]` in a fixed order that depends on the length alone.
    pub(crate) fn dot(a: &[R], b: &[R]) -> R = dot_loop;
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
