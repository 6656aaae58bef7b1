//! What a product will read next, asked for while it multiplies.

use crate::device::cpu::memory::prefetch::prefetch_line;

/// Terms of a product after which more is asked for.
pub(super) const GLANCE: usize = 16;
/// Terms of A by which what is asked for is ahead.
pub(super) const AHEAD: usize = 64;
/// Most lines that are asked for at a time: the processor keeps but some in mind.
const MOST: usize = 8;
/// Bytes of a line of a cache.
const LINE: usize = 64;

/// Numbers of B that will be read next, asked for a few lines at a time.
pub(super) struct Ahead<R> {
    at: *const R,
    lines: usize,
}

impl<R> Ahead<R> {
    /// `count` numbers from `at` on, on `glances` occasions. None of them needs to be there.
    #[inline(always)]
    pub(super) fn new(at: *const R, count: usize, glances: usize) -> Self {
        let lines = (count * size_of::<R>()).div_ceil(LINE);
        Ahead { at, lines: lines.div_ceil(glances.max(1)).min(MOST) }
    }

    /// The next few lines.
    #[inline(always)]
    pub(super) fn ask(&mut self) {
        for _ in 0..self.lines {
            prefetch_line(self.at);
            self.at = self.at.wrapping_add(LINE / size_of::<R>());
        }
    }
}
