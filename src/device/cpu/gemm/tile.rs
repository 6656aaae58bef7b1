//! The innermost loop of every contraction: a tile of C held in registers.
//!
//! Plain arrays of constant size, which compilers keep in vector registers; the tile's shape follows the
//! instruction set (12 rows of two 512-bit vectors, else 6 rows of two 256-bit vectors).

use multiversion::{multiversion, target::target_cfg_f};

use crate::device::cpu::real::Real;

/// Elements of the largest tile.
pub const MAX_TILE: usize = 12 * 32;

/// Rows of A in memory: element `(i, k)` is at `i·row + k·depth`.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub count: usize,
    pub row: usize,
    pub depth: usize,
}

/// `out[i·NR + j] = Σ_k a[i,k]·b[k·NR + j]` for `i < rows.count ≤ MR`.
#[inline(always)]
fn tile<R: Real, const MR: usize, const NR: usize, const FMA: bool>(
    a: &[R],
    rows: Rows,
    b: &[R],
    out: &mut [R],
) {
    let (b, _) = b.as_chunks::<NR>();
    let (last_row, last_depth) = (rows.count - 1, b.len() - 1);
    assert!(last_row * rows.row + last_depth * rows.depth < a.len(), "{rows:?} reach past {}", a.len());
    // Rows past the last repeat it; their results are not used.
    let starts: [usize; MR] = std::array::from_fn(|i| i.min(last_row) * rows.row);
    let mut sums = [[R::zero(); NR]; MR];
    for (k, b) in b.iter().enumerate() {
        for i in 0..MR {
            // SAFETY: the start is at most last_row·row and k at most last_depth, so the assertion covers the sum. A check
            // in this loop would keep the sums in memory, at less than half the speed.
            let a = unsafe { *a.get_unchecked(starts[i] + k * rows.depth) };
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

            /// One tile `(rows, width)`: b and out have rows of NR elements if `wide`, of NR/2 if not.
            #[multiversion(targets("x86_64+avx512f+avx512dq+avx512bw+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn multiply_tile(a: &[$real], rows: Rows, b: &[$real], out: &mut [$real], wide: bool) {
                const FULL: usize = 128 / size_of::<$real>();
                const HALF: usize = FULL / 2;
                const QUARTER: usize = FULL / 4;
                if target_cfg_f!(target_feature = "avx512f") {
                    match wide {
                        true => tile::<$real, 12, FULL, true>(a, rows, b, out),
                        false => tile::<$real, 12, HALF, true>(a, rows, b, out),
                    }
                } else if target_cfg_f!(target_feature = "fma") || cfg!(target_arch = "aarch64") {
                    match wide {
                        true => tile::<$real, 6, HALF, true>(a, rows, b, out),
                        false => tile::<$real, 6, QUARTER, true>(a, rows, b, out),
                    }
                } else {
                    match wide {
                        true => tile::<$real, 6, HALF, false>(a, rows, b, out),
                        false => tile::<$real, 6, QUARTER, false>(a, rows, b, out),
                    }
                }
            }
        }
    };
}

tiles!(f32);
tiles!(f64);

#[cfg(test)]
mod tests {
    use super::{Rows, tile};

    fn check<const MR: usize, const NR: usize, const FMA: bool>() {
        let depth = 7;
        let b: Vec<f64> = (0..depth * NR).map(|i| (i % 11) as f64 - 5.0).collect();
        for count in 1..=MR {
            for rows in [Rows { count, row: depth, depth: 1 }, Rows { count, row: 1, depth: MR }] {
                let a: Vec<f64> = (0..MR * depth).map(|i| (i % 5) as f64 - 2.0).collect();
                let mut out = vec![0.0; MR * NR];
                tile::<f64, MR, NR, FMA>(&a, rows, &b, &mut out);
                for (i, j) in (0..count).flat_map(|i| (0..NR).map(move |j| (i, j))) {
                    let product = |k: usize| a[i * rows.row + k * rows.depth] * b[k * NR + j];
                    assert_eq!(out[i * NR + j], (0..depth).map(product).sum::<f64>(), "{rows:?} ({i},{j})");
                }
            }
        }
    }

    /// A machine runs one of them: the others must be right too.
    #[test]
    fn tiles_of_every_instruction_set_are_products() {
        check::<12, 32, true>();
        check::<12, 16, true>();
        check::<12, 8, true>();
        check::<6, 16, true>();
        check::<6, 8, false>();
        check::<6, 4, false>();
    }
}
