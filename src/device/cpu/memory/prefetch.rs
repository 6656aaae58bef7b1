//! Reading ahead.

/// Asks for numbers that will soon be used, where the processor cannot guess that they will or does so too late.
#[inline(always)]
pub(crate) fn prefetch<R>(row: &[R]) {
    row.chunks(64 / size_of::<R>()).for_each(|line| prefetch_line(line.as_ptr()));
}

/// Asks for the cache line of one number.
#[inline(always)]
pub(crate) fn prefetch_line<R>(at: *const R) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has this instruction, which changes nothing but what is cached.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
