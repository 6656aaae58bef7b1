//! The products over channels, or over tiles, for one of a tile's 36 points.
//!
//! The transform back multiplies a sum's rounding error, which in one long sum would be most of it: sums are cut into parts
//! of [`SUM`] products, and the parts are added up. A general matrix product does that in one call a part, which for products
//! as small as these takes half as long again.

use super::tiles::LANES;
use crate::device::cpu::{gemm::Block, lanes::multiply_add, real::Real};

/// Products that are added in one go.
const SUM: usize = 32;
/// Terms after which the next rows of A are taken, so that so many rows of B stay in the first-level cache.
const DEPTH: usize = 8 * SUM;
/// Rows that are computed side by side: with AVX2 eight vectors of sums, as many as hide the latency of their additions.
const ROWS: usize = 4;

/// `c (M,N) = a (M,K) · b (K,N)`, or `c += a·b`, where N is a multiple of [`LANES`]. Each element adds up its parts in order, wherever it stands.
#[inline(always)]
pub fn products<R: Real, const FUSED: bool>(
    [m, k, n]: [usize; 3],
    a: &Block<R>,
    b: &Block<R>,
    c: &mut [R],
    add: bool,
) {
    assert!(n % LANES == 0 && m * k * n > 0);
    assert!((m - 1) * a.row + (k - 1) * a.col < a.data.len() && b.col == 1);
    for depth in (0..k).step_by(DEPTH) {
        let depths = [depth, k.min(depth + DEPTH)];
        let add = add || depth > 0;
        for column in (0..n).step_by(LANES) {
            let whole = m / ROWS * ROWS;
            for row in (0..whole).step_by(ROWS) {
                rows::<R, ROWS, FUSED>(row, depths, a, &b.data[column..], b.row, &mut c[column..], n, add);
            }
            for row in whole..m {
                rows::<R, 1, FUSED>(row, depths, a, &b.data[column..], b.row, &mut c[column..], n, add);
            }
        }
    }
}

/// [`LANES`] columns of `COUNT` rows of c, from row `first` on: terms `start..end`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn rows<R: Real, const COUNT: usize, const FUSED: bool>(
    first: usize,
    [start, end]: [usize; 2],
    a: &Block<R>,
    b: &[R],
    b_row: usize,
    c: &mut [R],
    c_row: usize,
    add: bool,
) {
    let at = |i: usize| (first + i) * c_row..(first + i) * c_row + LANES;
    let mut sums = [[R::zero(); LANES]; COUNT];
    if add {
        for (i, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&c[at(i)]);
        }
    }
    for start in (start..end).step_by(SUM) {
        let mut part = [[R::zero(); LANES]; COUNT];
        for k in start..end.min(start + SUM) {
            let b: &[R; LANES] = b[k * b_row..].first_chunk().expect("a whole vector");
            for (i, part) in part.iter_mut().enumerate() {
                // SAFETY: `products` asserts that its last element is there.
                let a = unsafe { *a.data.get_unchecked((first + i) * a.row + k * a.col) };
                for lane in 0..LANES {
                    part[lane] = multiply_add::<R, FUSED>(a, b[lane], part[lane]);
                }
            }
        }
        for (sums, part) in sums.iter_mut().zip(&part) {
            for lane in 0..LANES {
                sums[lane] = sums[lane] + part[lane];
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        c[at(i)].copy_from_slice(sums);
    }
}
