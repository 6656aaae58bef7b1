//! Images whose rows and columns of one parity lie together, and results that are put together from places computed apart.

use fearless_simd::{Simd, SimdBase};

use crate::device::cpu::vectors::{Real, V, first, len, put, vectorized};

vectorized! {
    /// Copies planes of `size` into planes of `to_size`, both even, `[top, left]` zeros before them and zeros after them, of which
    /// elements `(2y + p, 2x + q)` lie together for each of the four parities `(p, q)`.
    pub(crate) fn split(
        from: &[R], size: [usize; 2], to: &mut [R], to_size: [usize; 2], before: [usize; 2]
    ) = split_loop;

    /// `out (planes, 2·rows, 2·row)`, each element `(2y + p, 2x + q)` from place `(p, q)` of `places (4, 4, rows, row)`; `positions`
    /// are `[rows, row]`.
    pub(crate) fn join(places: &[R], positions: [usize; 2], out: &mut [R], add: bool) = join_loop;
}

#[inline(always)]
fn split_loop<S: Simd, R: Real>(
    simd: S,
    from: &[R],
    [height, width]: [usize; 2],
    to: &mut [R],
    to_size: [usize; 2],
    [top, left]: [usize; 2],
) {
    to.fill(R::zero());
    let vector = len::<S, R>();
    let plane = to_size[0] * to_size[1] / 4;
    let to_width = to_size[1] / 2;
    for (from, to) in from.chunks_exact(height * width).zip(to.chunks_exact_mut(4 * plane)) {
        for (y, from) in from.chunks_exact(width).enumerate() {
            let (row, parity) = ((y + top) / 2, (y + top) % 2);
            let at = |x: usize| (2 * parity + (x + left) % 2) * plane + row * to_width + (x + left) / 2;
            let mut x = 0;
            while width - x >= 2 * vector {
                let pairs = first::<S, R>(simd, &from[x..]);
                let (even, odd) = pairs.deinterleave(first::<S, R>(simd, &from[x + vector..]));
                put::<S, R>(even, &mut to[at(x)..]);
                put::<S, R>(odd, &mut to[at(x + 1)..]);
                x += 2 * vector;
            }
            for x in x..width {
                to[at(x)] = from[x];
            }
        }
    }
}

#[inline(always)]
fn join_loop<S: Simd, R: Real>(simd: S, places: &[R], [rows, row]: [usize; 2], out: &mut [R], add: bool) {
    let vector = len::<S, R>();
    let place = places.len() / 4;
    for (line, out) in out.chunks_exact_mut(2 * row).enumerate() {
        let (plane, y) = (line / (2 * rows), line % (2 * rows));
        let from = &places[y % 2 * 2 * place + (plane * rows + y / 2) * row..];
        let (even, odd) = (&from[..row], &from[place..][..row]);
        for x in (0..row).step_by(vector) {
            let (low, high) = first::<S, R>(simd, &even[x..]).interleave(first::<S, R>(simd, &odd[x..]));
            let out = &mut out[2 * x..][..2 * vector];
            put_or_add::<S, R>(simd, low, out, add);
            put_or_add::<S, R>(simd, high, &mut out[vector..], add);
        }
    }
}

#[inline(always)]
fn put_or_add<S: Simd, R: Real>(simd: S, value: V<S, R>, to: &mut [R], add: bool) {
    put::<S, R>(if add { first::<S, R>(simd, to) + value } else { value }, to);
}
