//! The number types that the CPU device computes in.

use multiversion::multiversion;

use super::{
    elementary,
    gemm::tile::{self, Rows},
    lanes,
};
use crate::tape::op::{Binary, Unary};

/// `f32`, the product's type, or `f64`, the oracle of every test.
///
/// The block functions are compiled once for each instruction set and chosen at run time, so a
/// binary built for the baseline processor still uses AVX2 or AVX-512 where it finds them.
pub trait Real: num_traits::Float + Default + std::fmt::Debug + Send + Sync + 'static {
    fn of(value: f64) -> Self;
    fn of_f32(value: f32) -> Self;
    fn into_f32(self) -> f32;
    fn into_f64(self) -> f64;

    fn exponential(self) -> Self;
    fn logarithm(self) -> Self;
    fn hyperbolic_tangent(self) -> Self;
    /// `1 / (1 + e⁻ˣ)`
    fn logistic(self) -> Self;
    fn error_function(self) -> Self;

    /// `y[i] = op(x[i])`
    fn unary(op: Unary, x: &[Self], y: &mut [Self]);
    /// `y[i] = op(a[i], b[i])`
    fn binary(op: Binary, a: &[Self], b: &[Self], y: &mut [Self]);
    /// `y[i] = a[i]` where `mask[i]` ≠ 0, else `b[i]`
    fn select(mask: &[Self], a: &[Self], b: &[Self], y: &mut [Self]);
    /// Sum in a fixed order that depends on the length alone.
    fn sum(x: &[Self]) -> Self;
    /// Largest element, −∞ of none; NaN if there is one.
    fn max_of(x: &[Self]) -> Self;

    /// `Σ a[i]·b[i]` in a fixed order.
    fn dot(a: &[Self], b: &[Self]) -> Self;
    /// `y[i] += factor·x[i]`
    fn add_multiple(factor: Self, x: &[Self], y: &mut [Self]);

    /// Rows and columns of a tile, see `gemm::tile`.
    fn tile_shape() -> [usize; 2];
    /// `out (MR,NR) = a (rows,K) · b (K,NR)`, with NR/2 for NR if not `wide`.
    fn multiply_tile(a: &[Self], rows: Rows, b: &[Self], out: &mut [Self], wide: bool);
}

macro_rules! real {
    ($real:ident, $blocks:ident, $exp:expr, $log:expr, $tanh:expr, $logistic:expr, $erf:expr) => {
        impl Real for $real {
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
            #[inline(always)]
            fn exponential(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn logarithm(self) -> Self {
                $log(self)
            }
            #[inline(always)]
            fn hyperbolic_tangent(self) -> Self {
                $tanh(self)
            }
            #[inline(always)]
            fn logistic(self) -> Self {
                $logistic(self)
            }
            #[inline(always)]
            fn error_function(self) -> Self {
                $erf(self)
            }

            fn unary(op: Unary, x: &[Self], y: &mut [Self]) {
                $blocks::unary(op, x, y);
            }
            fn binary(op: Binary, a: &[Self], b: &[Self], y: &mut [Self]) {
                $blocks::binary(op, a, b, y);
            }
            fn select(mask: &[Self], a: &[Self], b: &[Self], y: &mut [Self]) {
                $blocks::select(mask, a, b, y);
            }
            fn sum(x: &[Self]) -> Self {
                $blocks::sum(x)
            }
            fn max_of(x: &[Self]) -> Self {
                $blocks::max_of(x)
            }

            fn dot(a: &[Self], b: &[Self]) -> Self {
                $blocks::dot(a, b)
            }
            fn add_multiple(factor: Self, x: &[Self], y: &mut [Self]) {
                $blocks::add_multiple(factor, x, y);
            }

            fn tile_shape() -> [usize; 2] {
                tile::$real::tile_shape()
            }
            fn multiply_tile(a: &[Self], rows: Rows, b: &[Self], out: &mut [Self], wide: bool) {
                tile::$real::multiply_tile(a, rows, b, out, wide);
            }
        }

        mod $blocks {
            use super::*;

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn unary(op: Unary, x: &[$real], y: &mut [$real]) {
                lanes::unary(op, x, y)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn binary(op: Binary, a: &[$real], b: &[$real], y: &mut [$real]) {
                lanes::binary(op, a, b, y)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn select(mask: &[$real], a: &[$real], b: &[$real], y: &mut [$real]) {
                lanes::select(mask, a, b, y)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn sum(x: &[$real]) -> $real {
                lanes::sum(x)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn max_of(x: &[$real]) -> $real {
                lanes::max_of(x)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn dot(a: &[$real], b: &[$real]) -> $real {
                lanes::dot(a, b)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn add_multiple(factor: $real, x: &[$real], y: &mut [$real]) {
                lanes::add_multiple(factor, x, y)
            }
        }
    };
}

real!(
    f32,
    f32_blocks,
    elementary::exp,
    elementary::log,
    elementary::tanh,
    elementary::sigmoid,
    elementary::erf
);
real!(
    f64,
    f64_blocks,
    f64::exp,
    f64::ln,
    f64::tanh,
    |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) },
    libm::erf
);
