//! Memory of a plan in one stretch, in large pages where the system has them.
//!
//! The matrices of a victim take megabytes, and a product goes through several of them at once: the processor's table
//! of pages of 4 KiB is too short for that.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use memmap2::MmapMut;

use crate::device::{DeviceError, cpu::vectors::Real};

/// Bytes that no two pieces share: a cache line, and a vector of every width.
const LINE: usize = 64;

/// Cuts memory into pieces of so many zeros each.
///
/// # Errors
/// [`DeviceError::Failed`] if the system has not so much.
pub(crate) fn pieces<R: Real>(lens: &[usize]) -> Result<Vec<Piece<R>>, DeviceError> {
    let room = |&len: &usize| (len * size_of::<R>()).next_multiple_of(LINE);
    let bytes: usize = lens.iter().map(room).sum();
    let mut memory = MmapMut::map_anon(bytes.max(1))
        .map_err(|error| DeviceError::Failed(format!("allocating {bytes} bytes: {error}")))?;
    // Where large pages are to be had for the asking; a system may refuse.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    let mut start = memory.as_mut_ptr();
    let memory = Arc::new(memory);
    let mut piece = |len: &usize| {
        let piece = Piece { start: start.cast(), len: *len, _memory: Some(memory.clone()) };
        start = start.wrapping_add(room(len));
        piece
    };
    Ok(lens.iter().map(&mut piece).collect())
}

/// Numbers that nobody else holds; none by default.
pub struct Piece<R> {
    start: *mut R,
    len: usize,
    /// Lives as long as any of its pieces.
    _memory: Option<Arc<MmapMut>>,
}

// SAFETY: a piece owns its numbers as a vector does.
unsafe impl<R: Send> Send for Piece<R> {}
unsafe impl<R: Sync> Sync for Piece<R> {}

impl<R> Default for Piece<R> {
    fn default() -> Self {
        Piece { start: std::ptr::dangling_mut(), len: 0, _memory: None }
    }
}

impl<R> Deref for Piece<R> {
    type Target = [R];

    fn deref(&self) -> &[R] {
        // SAFETY: the numbers lie within `_memory`, aligned, no other piece has them, and zeroed bytes are numbers.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<R> DerefMut for Piece<R> {
    fn deref_mut(&mut self) -> &mut [R] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_zero_apart_and_outlive_each_other() {
        let mut pieces = pieces::<f64>(&[3, 0, 1 << 19, 5]).unwrap();
        assert!(pieces.iter().all(|piece| piece.iter().all(|&value| value == 0.0)));
        for (at, piece) in pieces.iter_mut().enumerate() {
            piece.fill(at as f64 + 1.0);
        }
        let last = pieces.pop().unwrap();
        let lens: Vec<_> = pieces.iter().map(|piece| piece.len()).collect();
        assert_eq!(lens, [3, 0, 1 << 19]);
        assert!(pieces[2].iter().all(|&value| value == 3.0));
        drop(pieces);
        assert_eq!(*last, [4.0; 5]);
        assert!(Piece::<f32>::default().is_empty());
    }
}
