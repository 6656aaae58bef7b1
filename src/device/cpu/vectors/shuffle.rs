//! Numbers put in another order, in registers.

use fearless_simd::{Simd, SimdBase};

use super::{Real, V, first, len, load, store};

/// 128 bits.
type Block<S, R> = <V<S, R> as SimdBase<S>>::Block;

/// Every fourth number: `out[j][i] = x[4·i + j]`.
#[inline(always)]
pub(crate) fn by_fours<S: Simd, R: Real>(simd: S, x: &[R]) -> [V<S, R>; 4] {
    let width = len::<S, R>();
    let x = &x[..4 * width];
    let (even, odd) = first::<S, R>(simd, x).deinterleave(first::<S, R>(simd, &x[width..]));
    let x = &x[2 * width..];
    let (more_even, more_odd) = first::<S, R>(simd, x).deinterleave(first::<S, R>(simd, &x[width..]));
    let ((first, third), (second, fourth)) = (even.deinterleave(more_even), odd.deinterleave(more_odd));
    [first, second, third, fourth]
}

/// The inverse of [`by_fours`]: `out[4·i + j] = x[j][i]`.
#[inline(always)]
pub(crate) fn in_turn<S: Simd, R: Real>(x: [V<S, R>; 4]) -> [V<S, R>; 4] {
    let (even, odd) = (x[0].interleave(x[2]), x[1].interleave(x[3]));
    let (low, high) = (even.0.interleave(odd.0), even.1.interleave(odd.1));
    [low.0, low.1, high.0, high.1]
}

/// Four rows of four numbers as columns: `to[j·to_row + i] = from[i][j]`.
///
/// # Safety
/// Four numbers lie at each of `from`, and may be written to each of the four rows of `to`.
#[inline(always)]
pub(crate) unsafe fn transpose<S: Simd, R: Real>(simd: S, from: [*const R; 4], to: *mut R, to_row: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        transpose_to(simd, from, [to, to.add(to_row), to.add(2 * to_row), to.add(3 * to_row)]);
    }
}

/// Four rows of four numbers as columns: `to[j][i] = from[i][j]`.
///
/// # Safety
/// Four numbers lie at each of `from`, and may be written to each of `to`.
#[inline(always)]
pub(crate) unsafe fn transpose_to<S: Simd, R: Real>(simd: S, from: [*const R; 4], to: [*mut R; 4]) {
    // SAFETY: the caller's promise.
    unsafe {
        if <Block<S, R> as SimdBase<S>>::LEN == 4 {
            let [a, b, c, d] = [
                Block::<S, R>::load_array_ref(simd, &*from[0].cast()),
                Block::<S, R>::load_array_ref(simd, &*from[1].cast()),
                Block::<S, R>::load_array_ref(simd, &*from[2].cast()),
                Block::<S, R>::load_array_ref(simd, &*from[3].cast()),
            ];
            let (even, odd) = (a.interleave(c), b.interleave(d));
            let (low, high) = (even.0.interleave(odd.0), even.1.interleave(odd.1));
            low.0.store_array(&mut *to[0].cast());
            low.1.store_array(&mut *to[1].cast());
            high.0.store_array(&mut *to[2].cast());
            high.1.store_array(&mut *to[3].cast());
        } else {
            for (i, row) in from.into_iter().enumerate() {
                (0..4).for_each(|j| *to[j].add(i) = *row.add(j));
            }
        }
    }
}

/// Copies one slice to another as long.
#[inline(always)]
pub(crate) fn copy<S: Simd, R: Real>(simd: S, from: &[R], to: &mut [R]) {
    write::<S, R, false>(simd, from, to);
}

/// Adds one slice to another as long.
#[inline(always)]
pub(crate) fn add<S: Simd, R: Real>(simd: S, from: &[R], to: &mut [R]) {
    write::<S, R, true>(simd, from, to);
}

#[inline(always)]
fn write<S: Simd, R: Real, const ADD: bool>(simd: S, from: &[R], to: &mut [R]) {
    let count = to.len();
    let (from, to) = (from[..count].as_ptr(), to.as_mut_ptr());
    let mut at = 0;
    // SAFETY: whole vectors, then shorter ones and single numbers, all in both slices.
    unsafe {
        while count - at >= len::<S, R>() {
            let (from, to) = (load::<S, R>(simd, from.add(at)), to.add(at));
            store::<S, R>(if ADD { load::<S, R>(simd, to) + from } else { from }, to);
            at += len::<S, R>();
        }
        let short = <Block<S, R> as SimdBase<S>>::LEN;
        while count - at >= short {
            let from = Block::<S, R>::load_array_ref(simd, &*from.add(at).cast());
            let to: &mut <Block<S, R> as SimdBase<S>>::Array = &mut *to.add(at).cast();
            (if ADD { Block::<S, R>::load_array_ref(simd, to) + from } else { from }).store_array(to);
            at += short;
        }
        while at < count {
            let (from, to) = (*from.add(at), &mut *to.add(at));
            *to = if ADD { *to + from } else { from };
            at += 1;
        }
    }
}
