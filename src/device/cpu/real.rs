//! The number types that the CPU device computes in.

use std::ops::Range;

use multiversion::{multiversion, target::target_cfg_f};

use super::{
    by_outputs_tiles::{self, Taps},
    direct::Runs,
    direct_tiles, elementary,
    gemm::{Block, Output},
    lanes,
    winograd::{self, Part, Slices, Tiling},
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
    /// `Σ a[i]·b[i]` in a fixed order that depends on the length alone.
    fn dot(a: &[Self], b: &[Self]) -> Self;
    /// Largest element, −∞ of none; NaN if there is one.
    fn max_of(x: &[Self]) -> Self;

    /// `y[i] += factor·x[i]`
    fn add_multiple(factor: Self, x: &[Self], y: &mut [Self]);

    /// See [`direct_tiles::convolve`].
    fn convolve(runs: &Runs, x: &[Self], w: &[Self], at: [Option<(usize, usize)>; 2], out: &mut [Self]);
    /// See [`direct_tiles::correlate`].
    fn correlate(
        runs: &Runs,
        operands: [&[Self]; 2],
        lens: [usize; 2],
        size: [usize; 2],
        count: usize,
        sums: &mut [Self; 12],
    );
    /// See [`by_outputs_tiles::convolve`].
    fn convolve_outputs(offsets: &[usize], x: &[Self], w: &[Self], form: [usize; 2], sums: &mut [Self]);
    /// See [`by_outputs_tiles::correlate`].
    fn correlate_outputs(taps: &Taps, x: &[Self], g: &[Self], columns: usize, sums: &mut [Self]);

    /// See [`winograd::input`].
    fn winograd_input(
        tiling: &Tiling,
        x: &[Self],
        image: usize,
        part: &Part,
        channels: Range<usize>,
        out: &Output<Self>,
    );
    /// See [`winograd::weight`].
    #[allow(clippy::too_many_arguments)]
    fn winograd_weight(
        w: &[Self],
        count: usize,
        rows: Range<usize>,
        columns: Range<usize>,
        origin: [usize; 2],
        turned: bool,
        layout: Slices,
        out: &Output<Self>,
    );
    /// See [`winograd::output`].
    fn winograd_output(
        tiling: &Tiling,
        products: &[Self],
        part: &Part,
        channels: Range<usize>,
        image: usize,
        out: &Output<Self>,
    );
    /// See [`winograd::gradient`].
    fn winograd_gradient(
        tiling: &Tiling,
        g: &[Self],
        count: usize,
        part: &Part,
        channels: Range<usize>,
        out: &Output<Self>,
    );
    /// See [`winograd::weight_gradient`].
    fn winograd_weight_gradient(
        products: &[Self],
        layout: Slices,
        channels: Range<usize>,
        outputs: Range<usize>,
        count: usize,
        out: &Output<Self>,
    );

    /// `c (M,N) = a (M,K) · b (K,N)`, c row-major; sizes are `[M, K, N]`.
    fn multiply(sizes: [usize; 3], a: Block<Self>, b: Block<Self>, c: &mut [Self]) {
        Self::accumulate(sizes, a, b, c, false);
    }
    /// As [`Real::multiply`]; or, if `add`, `c += a·b`.
    fn accumulate(sizes: [usize; 3], a: Block<Self>, b: Block<Self>, c: &mut [Self], add: bool);
}

macro_rules! real {
    ($real:ident, $blocks:ident, $execute:ident, $exp:expr, $log:expr, $tanh:expr, $logistic:expr, $erf:expr) => {
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
            fn dot(a: &[Self], b: &[Self]) -> Self {
                $blocks::dot(a, b)
            }
            fn max_of(x: &[Self]) -> Self {
                $blocks::max_of(x)
            }

            fn add_multiple(factor: Self, x: &[Self], y: &mut [Self]) {
                $blocks::add_multiple(factor, x, y);
            }
            fn convolve(
                runs: &Runs,
                x: &[Self],
                w: &[Self],
                at: [Option<(usize, usize)>; 2],
                out: &mut [Self],
            ) {
                $blocks::convolve(runs, x, w, at, out);
            }
            fn correlate(
                runs: &Runs,
                operands: [&[Self]; 2],
                lens: [usize; 2],
                size: [usize; 2],
                count: usize,
                sums: &mut [Self; 12],
            ) {
                $blocks::correlate(runs, operands, lens, size, count, sums);
            }
            fn convolve_outputs(
                offsets: &[usize],
                x: &[Self],
                w: &[Self],
                form: [usize; 2],
                sums: &mut [Self],
            ) {
                $blocks::convolve_outputs(offsets, x, w, form, sums);
            }
            fn correlate_outputs(taps: &Taps, x: &[Self], g: &[Self], columns: usize, sums: &mut [Self]) {
                $blocks::correlate_outputs(taps, x, g, columns, sums);
            }
            fn winograd_input(
                tiling: &Tiling,
                x: &[Self],
                image: usize,
                part: &Part,
                channels: Range<usize>,
                out: &Output<Self>,
            ) {
                $blocks::winograd_input(tiling, x, image, part, channels, out);
            }
            fn winograd_weight(
                w: &[Self],
                count: usize,
                rows: Range<usize>,
                columns: Range<usize>,
                origin: [usize; 2],
                turned: bool,
                layout: Slices,
                out: &Output<Self>,
            ) {
                $blocks::winograd_weight(w, count, rows, columns, origin, turned, layout, out);
            }
            fn winograd_output(
                tiling: &Tiling,
                products: &[Self],
                part: &Part,
                channels: Range<usize>,
                image: usize,
                out: &Output<Self>,
            ) {
                $blocks::winograd_output(tiling, products, part, channels, image, out);
            }
            fn winograd_gradient(
                tiling: &Tiling,
                g: &[Self],
                count: usize,
                part: &Part,
                channels: Range<usize>,
                out: &Output<Self>,
            ) {
                $blocks::winograd_gradient(tiling, g, count, part, channels, out);
            }
            fn winograd_weight_gradient(
                products: &[Self],
                layout: Slices,
                channels: Range<usize>,
                outputs: Range<usize>,
                count: usize,
                out: &Output<Self>,
            ) {
                $blocks::winograd_weight_gradient(products, layout, channels, outputs, count, out);
            }
            fn accumulate([m, k, n]: [usize; 3], a: Block<Self>, b: Block<Self>, c: &mut [Self], add: bool) {
                if m * n * k == 0 {
                    if !add {
                        c[..m * n].fill(0.0);
                    }
                    return;
                }
                let last = |block: Block<Self>, i: usize, j: usize| (i - 1) * block.row + (j - 1) * block.col;
                assert!(last(a, m, k) < a.data.len() && last(b, k, n) < b.data.len() && m * n <= c.len());
                let stride = |n: usize| n as isize;
                // SAFETY: the assertion covers the last element of each block, and so every other.
                unsafe {
                    nano_gemm::planless::$execute(
                        m,
                        n,
                        k,
                        c.as_mut_ptr(),
                        stride(n),
                        1,
                        a.data.as_ptr(),
                        stride(a.row),
                        stride(a.col),
                        b.data.as_ptr(),
                        stride(b.row),
                        stride(b.col),
                        if add { 1.0 } else { 0.0 },
                        1.0,
                        false,
                        false,
                    );
                }
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
            pub fn dot(a: &[$real], b: &[$real]) -> $real {
                if target_cfg_f!(target_feature = "fma") {
                    lanes::dot::<$real, true>(a, b)
                } else {
                    lanes::dot::<$real, false>(a, b)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn max_of(x: &[$real]) -> $real {
                lanes::max_of(x)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn add_multiple(factor: $real, x: &[$real], y: &mut [$real]) {
                lanes::add_multiple(factor, x, y)
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn convolve(
                runs: &Runs,
                x: &[$real],
                w: &[$real],
                at: [Option<(usize, usize)>; 2],
                out: &mut [$real],
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    direct_tiles::convolve::<$real, true>(runs, x, w, at, out)
                } else {
                    direct_tiles::convolve::<$real, false>(runs, x, w, at, out)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn correlate(
                runs: &Runs,
                operands: [&[$real]; 2],
                lens: [usize; 2],
                size: [usize; 2],
                count: usize,
                sums: &mut [$real; 12],
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    direct_tiles::correlate::<$real, true>(runs, operands, lens, size, count, sums)
                } else {
                    direct_tiles::correlate::<$real, false>(runs, operands, lens, size, count, sums)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn convolve_outputs(
                offsets: &[usize],
                x: &[$real],
                w: &[$real],
                form: [usize; 2],
                sums: &mut [$real],
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    by_outputs_tiles::convolve::<$real, true>(offsets, x, w, form, sums)
                } else {
                    by_outputs_tiles::convolve::<$real, false>(offsets, x, w, form, sums)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn correlate_outputs(
                taps: &Taps,
                x: &[$real],
                g: &[$real],
                columns: usize,
                sums: &mut [$real],
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    by_outputs_tiles::correlate::<$real, true>(taps, x, g, columns, sums)
                } else {
                    by_outputs_tiles::correlate::<$real, false>(taps, x, g, columns, sums)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn winograd_input(
                tiling: &Tiling,
                x: &[$real],
                image: usize,
                part: &Part,
                channels: Range<usize>,
                out: &Output<$real>,
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    winograd::input::<$real, true>(tiling, x, image, part, channels, out)
                } else {
                    winograd::input::<$real, false>(tiling, x, image, part, channels, out)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            #[allow(clippy::too_many_arguments)]
            pub fn winograd_weight(
                w: &[$real],
                count: usize,
                rows: Range<usize>,
                columns: Range<usize>,
                origin: [usize; 2],
                turned: bool,
                layout: Slices,
                out: &Output<$real>,
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    winograd::weight::<$real, true>(w, count, rows, columns, origin, turned, layout, out)
                } else {
                    winograd::weight::<$real, false>(w, count, rows, columns, origin, turned, layout, out)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn winograd_output(
                tiling: &Tiling,
                products: &[$real],
                part: &Part,
                channels: Range<usize>,
                image: usize,
                out: &Output<$real>,
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    winograd::output::<$real, true>(tiling, products, part, channels, image, out)
                } else {
                    winograd::output::<$real, false>(tiling, products, part, channels, image, out)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn winograd_gradient(
                tiling: &Tiling,
                g: &[$real],
                count: usize,
                part: &Part,
                channels: Range<usize>,
                out: &Output<$real>,
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    winograd::gradient::<$real, true>(tiling, g, count, part, channels, out)
                } else {
                    winograd::gradient::<$real, false>(tiling, g, count, part, channels, out)
                }
            }

            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn winograd_weight_gradient(
                products: &[$real],
                layout: Slices,
                channels: Range<usize>,
                outputs: Range<usize>,
                count: usize,
                out: &Output<$real>,
            ) {
                if target_cfg_f!(target_feature = "fma") {
                    winograd::weight_gradient::<$real, true>(products, layout, channels, outputs, count, out)
                } else {
                    winograd::weight_gradient::<$real, false>(products, layout, channels, outputs, count, out)
                }
            }
        }
    };
}

real!(
    f32,
    f32_blocks,
    execute_f32,
    elementary::exp,
    elementary::log,
    elementary::tanh,
    elementary::sigmoid,
    elementary::erf
);
real!(
    f64,
    f64_blocks,
    execute_f64,
    f64::exp,
    f64::ln,
    f64::tanh,
    |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) },
    libm::erf
);
