//! Memory that several threads write at once.

use std::{marker::PhantomData, ops::Range};

use fearless_simd::Simd;

use super::prefetch::prefetch_line;
use crate::device::cpu::vectors::{Real, V, len, store};

/// A slice that several threads write at once, each its own elements.
///
/// The tiles of a matrix are no contiguous parts of it, so that the borrow checker cannot hand them out
/// one by one; cutting C into whole rows instead would make each thread pack all of B.
pub(crate) struct Output<'a, R> {
    start: *mut R,
    len: usize,
    borrow: PhantomData<&'a mut [R]>,
}

// SAFETY: the only access is `Output::slice`, whose callers promise not to overlap.
unsafe impl<R: Send> Sync for Output<'_, R> {}

impl<'a, R> Output<'a, R> {
    pub(crate) fn new(slice: &'a mut [R]) -> Self {
        Output { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// # Safety
    /// No other slice taken from this output that overlaps `range` may be alive.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, range: Range<usize>) -> &mut [R] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: the range lies in the slice that was borrowed exclusively for 'a; by the caller's promise
        // this is the only reference to it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// To `len` elements from `at` on, of which the caller may use its own.
    pub(crate) fn pointer(&self, at: usize, len: usize) -> *mut R {
        assert!(at < self.len && self.len - at >= len, "{len} from {at} of {}", self.len);
        // SAFETY: it lies in the slice.
        unsafe { self.start.add(at) }
    }

    /// Asks for the cache line of element `at`, which will soon be written; of none past the end.
    #[inline(always)]
    pub(crate) fn prefetch(&self, at: usize) {
        if at < self.len {
            prefetch_line(self.start.wrapping_add(at));
        }
    }

    /// Writes a vector from element `at` on.
    ///
    /// # Safety
    /// As for [`Output::slice`].
    #[inline(always)]
    pub(crate) unsafe fn put<S: Simd>(&self, at: usize, value: V<S, R>)
    where
        R: Real,
    {
        let len = len::<S, R>();
        assert!(at < self.len && self.len - at >= len, "{len} from {at} of {}", self.len);
        // SAFETY: it lies in the slice that was borrowed exclusively for 'a; nobody else uses it, by the caller's promise.
        unsafe { store::<S, R>(value, self.start.add(at)) }
    }
}
