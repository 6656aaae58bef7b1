//! Four rows of four numbers as columns.

/// `out[j][i] = rows[i][j]`
#[inline(always)]
pub fn transposed<R: Copy>(rows: &[[R; 4]; 4]) -> [[R; 4]; 4] {
    std::array::from_fn(|j| std::array::from_fn(|i| rows[i][j]))
}

/// As [`transposed`]. In registers: left to themselves, compilers move the sixteen numbers one by one.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn transposed_f32(rows: &[[f32; 4]; 4]) -> [[f32; 4]; 4] {
    use std::arch::x86_64::{_MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_storeu_ps};
    let mut out = [[0.0; 4]; 4];
    // SAFETY: every x86-64 processor has these instructions; each row and column is four numbers.
    unsafe {
        let [mut a, mut b, mut c, mut d] = [0, 1, 2, 3].map(|row: usize| _mm_loadu_ps(rows[row].as_ptr()));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        for (out, column) in out.iter_mut().zip([a, b, c, d]) {
            _mm_storeu_ps(out.as_mut_ptr(), column);
        }
    }
    out
}

#[cfg(not(target_arch = "x86_64"))]
pub use transposed as transposed_f32;
