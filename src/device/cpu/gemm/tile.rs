//! The innermost loop of every contraction: a tile of C held in registers.
//!
//! Plain arrays of constant size, which compilers keep in vector registers; the tile's shape follows the
//! instruction set (12 rows of two 512-bit vectors, else 6 rows of two 256-bit vectors).

use multiversion::{multiversion, target::target_cfg_f};

use crate::device::cpu::real::Real;

/// Elements of the largest tile.
pub const MAX_TILE: usize = 12 * 32;

/// `out[i·NR + j] = Σ_k a[i·lda + k]·b[k·NR + j]` for `i < rows ≤ MR`.
#[inline(always)]
fn tile<R: Real, const MR: usize, const NR: usize, const FMA: bool>(
    a: &[R],
    lda: usize,
    rows: usize,
    b: &[R],
    out: &mut [R],
) {
    let (b, _) = b.as_chunks::<NR>();
    assert!(0 < rows && (rows - 1) * lda + b.len() <= a.len(), "{rows} rows of {} in {}", b.len(), a.len());
    // Rows past the last repeat it; their results are not used.
    let starts: [usize; MR] = std::array::from_fn(|i| i.min(rows - 1) * lda);
    let mut sums = [[R::zero(); NR]; MR];
    for (k, b) in b.iter().enumerate() {
        for i in 0..MR {
            // SAFETY: the start is at most (rows − 1)·lda and k < b.len(), so the assertion covers the sum. A check
            // in this loop would keep the sums in memory, at less than half the speed.
            let a = unsafe { *a.get_unchecked(starts[i] + k) };
            for j in 0..NR {
                sums[i][j] = if FMA { a.mul_add(b[j], sums[i][j]) } else { a * b[j] + sums[i][j] };
            }
        }
    }
    for (out, sums) in out.as_chunks_mut::<NR>().0.iter_mut().zip(&sums) {
        *out = *sums;
    }
}

macro_rules! tiles {
    ($real:ident) => {
        pub mod $real {
            use super::*;

            /// `[MR, NR]`
            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn tile_shape() -> [usize; 2] {
                if target_cfg_f!(target_feature = "avx512f") {
                    [12, 128 / size_of::<$real>()]
                } else {
                    [6, 64 / size_of::<$real>()]
                }
            }

            /// One tile of `rows ≤ MR` rows; b is `(K,NR)`.
            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn multiply_tile(a: &[$real], lda: usize, rows: usize, b: &[$real], out: &mut [$real]) {
                const WIDE: usize = 128 / size_of::<$real>();
                const NARROW: usize = 64 / size_of::<$real>();
                if target_cfg_f!(target_feature = "avx512f") {
                    tile::<$real, 12, WIDE, true>(a, lda, rows, b, out)
                } else if target_cfg_f!(target_feature = "fma") || cfg!(target_arch = "aarch64") {
                    tile::<$real, 6, NARROW, true>(a, lda, rows, b, out)
                } else {
                    tile::<$real, 6, NARROW, false>(a, lda, rows, b, out)
                }
            }
        }
    };
}

tiles!(f32);
tiles!(f64);
