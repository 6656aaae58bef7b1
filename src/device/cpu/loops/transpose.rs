//! Rows as columns.

use fearless_simd::Simd;

use crate::device::cpu::vectors::{Real, shuffle, vectorized};

/// Rows, and columns, that are turned round together.
const SIDE: usize = 4;

vectorized! {
    /// `to[j·to_row + i] = from[i·from_row + j]`, for `sizes` of i and j.
    pub(crate) fn transpose(
        from: &[R], from_row: usize, sizes: [usize; 2], to: &mut [R], to_row: usize
    ) = transpose_loop;
}

#[inline(always)]
fn transpose_loop<S: Simd, R: Real>(
    simd: S,
    from: &[R],
    from_row: usize,
    [rows, cols]: [usize; 2],
    to: &mut [R],
    to_row: usize,
) {
    if rows * cols == 0 {
        return;
    }
    assert!((rows - 1) * from_row + cols <= from.len() && (cols - 1) * to_row + rows <= to.len());
    let whole = [rows, cols].map(|n| n - n % SIDE);
    // Rows outside: what lies in a cache line is taken together, though the rows be far apart.
    for i in (0..whole[0]).step_by(SIDE) {
        for j in (0..whole[1]).step_by(SIDE) {
            // SAFETY: four rows of four were asserted to be there, and four columns of four.
            unsafe {
                let from = from.as_ptr().add(i * from_row + j);
                let rows = [from, from.add(from_row), from.add(2 * from_row), from.add(3 * from_row)];
                shuffle::transpose(simd, rows, to.as_mut_ptr().add(j * to_row + i), to_row);
            }
        }
    }
    for i in 0..rows {
        let start = if i < whole[0] { whole[1] } else { 0 };
        for j in start..cols {
            to[j * to_row + i] = from[i * from_row + j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::vectors::Isa;

    #[test]
    fn rows_become_columns_whatever_their_number() {
        for [rows, cols] in [[1, 1], [4, 4], [16, 37], [7, 9], [3, 20], [33, 2]] {
            let (from_row, to_row) = (cols + 3, rows + 2);
            let from: Vec<f64> = (0..rows * from_row).map(|i| i as f64).collect();
            for isa in Isa::available() {
                let mut to = vec![-1.0; cols * to_row];
                transpose(isa, &from, from_row, [rows, cols], &mut to, to_row);
                for (j, to) in to.chunks(to_row).enumerate() {
                    assert!(to[..rows].iter().enumerate().all(|(i, &to)| to == from[i * from_row + j]));
                    assert_eq!(to[rows..], [-1.0; 2]);
                }
            }
        }
    }
}
