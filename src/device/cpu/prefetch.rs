//! Reading ahead.

/// Asks for numbers that will soon be used, where the processor cannot guess that they will or does so too late.
pub fn prefetch<R>(row: &[R]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(64 / size_of::<R>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has this instruction, which changes nothing but what is cached.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}
