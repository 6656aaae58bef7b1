//! The inner loops, compiled once for each instruction set and chosen at run time, so that a binary built for the
//! baseline processor still uses AVX2 or AVX-512 where it finds them.
//!
//! Each line of [`functions`] is a function over whole blocks of numbers: part of the trait [`super::real::Real`], and inlined
//! from the place that the line names. `fused` ones are told whether the processor multiplies and adds in one instruction.

use std::ops::Range;

use multiversion::{multiversion, target::target_cfg_f};

use super::{
    by_outputs_tiles::{self, Taps},
    direct::Runs,
    direct_tiles,
    gemm::Output,
    lanes, window_tiles,
    winograd::{self, Panels, Part, Slices, Tiling},
};
use crate::tape::{
    op::{Binary, Unary},
    spec::WindowSpec,
};

/// All functions over blocks of `$R`, in the form of `$form`: `declared` in a trait, `forwarded` in its implementation
/// for `f32` or `f64`, or `compiled` in a module of that name.
macro_rules! functions {
    ($form:ident, $R:ident) => {
        $crate::device::cpu::blocks::$form! {
            $R;
            /// `y[i] = op(x[i])`
            plain fn unary(op: Unary, x: &[$R], y: &mut [$R]) = lanes::unary;
            /// `y[i] = op(a[i], b[i])`
            plain fn binary(op: Binary, a: &[$R], b: &[$R], y: &mut [$R]) = lanes::binary;
            /// `y[i] = op(a, b[i])`
            plain fn binary_of_scalar(op: Binary, a: $R, b: &[$R], y: &mut [$R]) = lanes::binary_of_scalar;
            /// `y[i] = op(a[i], b)`
            plain fn binary_with_scalar(op: Binary, a: &[$R], b: $R, y: &mut [$R]) = lanes::binary_with_scalar;
            /// `y[i] = a[i]` where `mask[i]` ≠ 0, else `b[i]`
            plain fn select(mask: &[$R], a: &[$R], b: &[$R], y: &mut [$R]) = lanes::select;
            /// Sum in a fixed order that depends on the length alone.
            plain fn sum(x: &[$R]) -> $R = lanes::sum;
            /// Largest element, −∞ of none; NaN if there is one.
            plain fn max_of(x: &[$R]) -> $R = lanes::max_of;
            /// See `window_tiles::argmax`.
            plain fn tiles_argmax(side: usize, spec: &WindowSpec, x: &[$R], out: &mut [$R]) = window_tiles::argmax;
            /// See `window_tiles::gather`.
            plain fn tiles_gather(
                side: usize, spec: &WindowSpec, x: &[$R], index: &[$R], out: &mut [$R]
            ) = window_tiles::gather;
            /// See `window_tiles::scatter`.
            plain fn tiles_scatter(
                side: usize, spec: &WindowSpec, g: &[$R], index: &[$R], out: &mut [$R]
            ) = window_tiles::scatter;
            /// `Σ a[i]·b[i]` in a fixed order that depends on the length alone.
            fused fn dot(a: &[$R], b: &[$R]) -> $R = lanes::dot;
            /// `y[i] += factor·x[i]`
            fused fn add_multiple(factor: $R, x: &[$R], y: &mut [$R]) = lanes::add_multiple;
            /// See `direct_tiles::convolve`.
            fused fn convolve(
                runs: &Runs, x: &[$R], w: &[$R], at: [Option<(usize, usize)>; 2], out: &mut [$R]
            ) = direct_tiles::convolve;
            /// See `direct_tiles::correlate`.
            fused fn correlate(
                runs: &Runs, operands: [&[$R]; 2], lens: [usize; 2], size: [usize; 2], count: usize, wide: bool,
                sums: &mut [$R; 12]
            ) = direct_tiles::correlate;
            /// See `by_outputs_tiles::convolve`.
            fused fn convolve_outputs(
                offsets: &[usize], x: &[$R], w: &[$R], form: [usize; 2], sums: &mut [$R]
            ) = by_outputs_tiles::convolve;
            /// See `by_outputs_tiles::correlate`.
            fused fn correlate_outputs(
                taps: &Taps, x: &[$R], g: &[$R], columns: usize, wide: bool, sums: &mut [$R]
            ) = by_outputs_tiles::correlate;
            /// See `winograd::input`.
            fused fn winograd_input(
                tiling: &Tiling, x: &[$R], image: usize, part: &Part, channels: Range<usize>, in_panels: bool,
                out: &Output<$R>
            ) = winograd::input;
            /// See `winograd::weight`.
            fused fn winograd_weight(
                w: &[$R], sizes: [usize; 2], panels: Range<usize>, origin: usize, turned: bool, layout: Slices,
                out: &Output<$R>
            ) = winograd::weight;
            /// See `winograd::products`.
            fused fn winograd_products(
                sizes: [usize; 3], a: Panels<$R>, b: Panels<$R>, c: &mut [$R], row: usize, add: bool
            ) = winograd::products;
            /// See `winograd::output`.
            fused fn winograd_output(
                tiling: &Tiling, products: &[$R], part: &Part, channels: Range<usize>, image: usize, out: &Output<$R>
            ) = winograd::output;
            /// See `winograd::gradient`.
            fused fn winograd_gradient(
                tiling: &Tiling, g: &[$R], count: usize, part: &Part, channels: Range<usize>, out: &Output<$R>
            ) = winograd::gradient;
            /// See `winograd::weight_gradient`.
            fused fn winograd_weight_gradient(
                products: &[$R], layout: Slices, channels: Range<usize>, outputs: Range<usize>, count: usize, out: &Output<$R>
            ) = winograd::weight_gradient;
        }
    };
}

macro_rules! declared {
    ($R:ident; $($(#[$doc:meta])* $kind:ident fn $name:ident($($arg:ident: $type:ty),*) $(-> $value:ty)?
        = $module:ident::$function:ident;)*) => {
        $(
            $(#[$doc])*
            #[allow(clippy::too_many_arguments)]
            fn $name($($arg: $type),*) $(-> $value)?;
        )*
    };
}

macro_rules! forwarded {
    ($R:ident; $($(#[$doc:meta])* $kind:ident fn $name:ident($($arg:ident: $type:ty),*) $(-> $value:ty)?
        = $module:ident::$function:ident;)*) => {
        $(
            fn $name($($arg: $type),*) $(-> $value)? {
                blocks::$R::$name($($arg),*)
            }
        )*
    };
}

macro_rules! compiled {
    ($R:ident; $($(#[$doc:meta])* $kind:ident fn $name:ident($($arg:ident: $type:ty),*) $(-> $value:ty)?
        = $module:ident::$function:ident;)*) => {
        $($crate::device::cpu::blocks::function! {
            $kind, $R, fn $name($($arg: $type),*) $(-> $value)? = $module::$function
        })*
    };
}

macro_rules! function {
    (plain, $R:ident, fn $name:ident($($arg:ident: $type:ty),*) $(-> $value:ty)? = $module:ident::$function:ident) => {
        #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
        pub fn $name($($arg: $type),*) $(-> $value)? {
            $module::$function($($arg),*)
        }
    };
    (fused, $R:ident, fn $name:ident($($arg:ident: $type:ty),*) $(-> $value:ty)? = $module:ident::$function:ident) => {
        #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
        #[allow(clippy::too_many_arguments)]
        pub fn $name($($arg: $type),*) $(-> $value)? {
            if target_cfg_f!(target_feature = "fma") {
                $module::$function::<$R, true>($($arg),*)
            } else {
                $module::$function::<$R, false>($($arg),*)
            }
        }
    };
}

/// Whether a register holds sixteen single-precision numbers, and there are 32 of them: else tiles of sums are smaller, so
/// that they stay in registers. Each sum has the same order either way.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub fn wide() -> bool {
    target_cfg_f!(target_feature = "avx512f")
}

pub(super) use {compiled, declared, forwarded, function, functions};

pub mod f32 {
    use super::*;
    functions!(compiled, f32);
}

pub mod f64 {
    use super::*;
    functions!(compiled, f64);
}
