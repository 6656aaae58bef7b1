//! The number types that the CPU device computes in.

use std::ops::Range;

use super::{
    blocks,
    by_outputs_tiles::Taps,
    direct::Runs,
    elementary,
    gemm::{Block, Output},
    transpose,
    winograd::{Panels, Part, Slices, Tiling},
};
use crate::tape::{
    op::{Binary, Unary},
    spec::WindowSpec,
};

/// `f32`, the product's type, or `f64`, the oracle of every test.
///
/// The functions over whole blocks, see [`super::blocks`], use the widest vectors of the processor.
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

    /// Rows as columns.
    fn transposed(rows: &[[Self; 4]; 4]) -> [[Self; 4]; 4];

    blocks::functions!(declared, Self);

    /// `c (M,N) = a (M,K) · b (K,N)`, or `c += a·b` if `add`; c row-major; sizes are `[M, K, N]`.
    fn accumulate(sizes: [usize; 3], a: Block<Self>, b: Block<Self>, c: &mut [Self], add: bool) {
        let [m, _, n] = sizes;
        assert!(m * n <= c.len());
        // SAFETY: all of c's elements are in the slice.
        unsafe { Self::accumulate_rows(sizes, a, b, c.as_mut_ptr(), n, add) }
    }
    /// The same, where the rows of c are `row` elements apart and not the caller's alone in between.
    ///
    /// # Safety
    /// The `M` runs of `N` elements can be written through `c`, and nobody else uses them meanwhile.
    unsafe fn accumulate_rows(
        sizes: [usize; 3],
        a: Block<Self>,
        b: Block<Self>,
        c: *mut Self,
        row: usize,
        add: bool,
    );
}

macro_rules! real {
    ($real:ident, $execute:ident, $exp:expr, $log:expr, $tanh:expr, $logistic:expr, $erf:expr, $transposed:expr) => {
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

            #[inline(always)]
            fn transposed(rows: &[[Self; 4]; 4]) -> [[Self; 4]; 4] {
                $transposed(rows)
            }

            blocks::functions!(forwarded, $real);

            unsafe fn accumulate_rows(
                [m, k, n]: [usize; 3],
                a: Block<Self>,
                b: Block<Self>,
                c: *mut Self,
                row: usize,
                add: bool,
            ) {
                if m * n * k == 0 {
                    let rows = if add { 0 } else { m };
                    // SAFETY: the caller's promise.
                    return (0..rows).for_each(|i| unsafe { c.add(i * row).write_bytes(0, n) });
                }
                let last = |block: Block<Self>, i: usize, j: usize| (i - 1) * block.row + (j - 1) * block.col;
                assert!(last(a, m, k) < a.data.len() && last(b, k, n) < b.data.len());
                let stride = |n: usize| n as isize;
                // SAFETY: the assertion covers the last element of a and b, and so every other; c is the caller's promise.
                unsafe {
                    nano_gemm::planless::$execute(
                        m,
                        n,
                        k,
                        c,
                        stride(row),
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
    };
}

real!(
    f32,
    execute_f32,
    elementary::exp,
    elementary::log,
    elementary::tanh,
    elementary::sigmoid,
    elementary::erf,
    transpose::transposed_f32
);
real!(
    f64,
    execute_f64,
    f64::exp,
    f64::ln,
    f64::tanh,
    |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) },
    libm::erf,
    transpose::transposed
);
