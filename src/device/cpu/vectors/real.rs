//! The number types that the CPU device computes in.

use fearless_simd::{Simd, SimdBase, SimdFloat, SimdFloatElement};

use super::elementary;

/// `f32`, the product's type, or `f64`, the oracle of every test.
pub trait Real:
    num_traits::Float + SimdFloatElement + Default + std::fmt::Debug + Send + Sync + 'static
{
    /// As many as a register holds.
    type Vector<S: Simd>: SimdFloat<S, Element = Self>;

    fn of(value: f64) -> Self;
    fn of_f32(value: f32) -> Self;
    fn into_f32(self) -> f32;
    fn into_f64(self) -> f64;

    fn exponential<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    fn logarithm<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    fn hyperbolic_tangent<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    /// `1 / (1 + e⁻ˣ)`
    fn logistic<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
    fn error_function<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S>;
}

macro_rules! conversions {
    ($real:ident) => {
        #[inline(always)]
        fn of(value: f64) -> Self {
            value as $real
        }
        #[inline(always)]
        fn of_f32(value: f32) -> Self {
            value as $real
        }
        #[inline(always)]
        fn into_f32(self) -> f32 {
            self as f32
        }
        #[inline(always)]
        fn into_f64(self) -> f64 {
            self as f64
        }
    };
}

macro_rules! functions {
    ($($name:ident = $function:expr;)*) => {$(
        #[inline(always)]
        fn $name<S: Simd>(simd: S, x: Self::Vector<S>) -> Self::Vector<S> {
            $function(simd, x)
        }
    )*};
}

impl Real for f32 {
    type Vector<S: Simd> = S::f32s;

    conversions!(f32);
    functions! {
        exponential = elementary::exp;
        logarithm = elementary::log;
        hyperbolic_tangent = elementary::tanh;
        logistic = elementary::sigmoid;
        error_function = elementary::erf;
    }
}

/// One after the other: the oracle need not be fast.
#[inline(always)]
fn one_by_one<S: Simd>(simd: S, x: S::f64s, f: impl Fn(f64) -> f64) -> S::f64s {
    S::f64s::from_fn(simd, |i| f(x[i]))
}

impl Real for f64 {
    type Vector<S: Simd> = S::f64s;

    conversions!(f64);
    functions! {
        exponential = |simd, x| one_by_one(simd, x, f64::exp);
        logarithm = |simd, x| one_by_one(simd, x, f64::ln);
        hyperbolic_tangent = |simd, x| one_by_one(simd, x, f64::tanh);
        logistic = |simd, x| one_by_one(simd, x, |x| {
            if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
        });
        error_function = |simd, x| one_by_one(simd, x, libm::erf);
    }
}
