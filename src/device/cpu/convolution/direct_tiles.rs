//! The inner loops of [`super::direct`]. Sums stay in registers: tiles have sizes that the compiler knows.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Simd, SimdFloat};

use crate::device::cpu::vectors::{Real, len, load, put, registers, splat, store, vectorized};

/// Planes of a tile.
pub(crate) const PLANES: usize = 4;
/// Lanes over which a gradient's products are spread before they are added by halves.
const LANES: usize = 16;

/// Runs of `lanes` pixels of the padded image, and of the planes that correspond to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs<'a> {
    /// 8 or 16.
    pub lanes: usize,
    /// Width of the padded image.
    pub width: usize,
    /// Distance between channels of the padded image.
    pub plane: usize,
    /// Width of the planes of a tile, and the distance between them.
    pub row: usize,
    pub tile_plane: usize,
    /// Where the taps lie in a channel of the padded image.
    pub offsets: &'a [usize],
    /// Add to what the tile holds.
    pub add: bool,
}

vectorized! {
    /// Up to four planes of pixels, as many as `out (planes,H,W)` has: `x (C,H,W)` padded, `w (C,taps,4)`. A vector must fit a run.
    pub(crate) fn convolve(runs: &Runs, x: &[R], w: &[R], out: &mut [R]) = convolve_loop;

    /// `Σ g[o][p]·x[p + ky·width]` over all pixels, `size` of them, of `count` images, `(3,4)`. `x`: from one plane of the first image
    /// on, padded; `g`: from four planes on; images are `lens` apart. Runs of 8 go in pairs, one above the other. A vector must
    /// fit a run.
    pub(crate) fn correlate(
        runs: &Runs, operands: [&[R]; 2], lens: [usize; 2], size: [usize; 2], count: usize, sums: &mut [R; 3 * PLANES]
    ) = correlate_loop;
}

#[inline(always)]
fn convolve_loop<S: Simd, R: Real>(simd: S, runs: &Runs, x: &[R], w: &[R], out: &mut [R]) {
    let w = w.as_chunks::<PLANES>().0;
    let vectors = runs.tile_plane / len::<S, R>();
    assert!(runs.row.is_multiple_of(len::<S, R>()) && out.len() >= runs.tile_plane);
    let (Some(reach), channels) = (runs.offsets.iter().max(), w.len() / runs.offsets.len().max(1)) else {
        if !runs.add {
            out.fill(R::zero());
        }
        return;
    };
    let last_row = runs.tile_plane / runs.row - 1;
    assert!((channels - 1) * runs.plane + last_row * runs.width + runs.row + reach <= x.len());
    let mut next = 0;
    // SAFETY: the last pixel of the last row of the last channel was asserted to be there.
    unsafe {
        if registers::<S, R>() == 32 {
            while vectors - next >= 4 {
                tile::<S, R, 4>(simd, runs, x, w, next, out);
                next += 4;
            }
        }
        while vectors - next >= 2 {
            tile::<S, R, 2>(simd, runs, x, w, next, out);
            next += 2;
        }
        if vectors > next {
            tile::<S, R, 1>(simd, runs, x, w, next, out);
        }
    }
}

/// N vectors of pixels from vector `first` on.
///
/// # Safety
/// They lie in `out`, and what they add up in `x`.
#[inline(always)]
unsafe fn tile<S: Simd, R: Real, const N: usize>(
    simd: S,
    runs: &Runs,
    x: &[R],
    w: &[[R; PLANES]],
    first: usize,
    out: &mut [R],
) {
    let pixels: [usize; N] = std::array::from_fn(|n| (first + n) * len::<S, R>());
    // SAFETY: the caller's promise.
    unsafe {
        let x = pixels.map(|p| x.as_ptr().add(p / runs.row * runs.width + p % runs.row));
        let mut sums = [[splat::<S, R>(simd, R::zero()); N]; PLANES];
        for (channel, w) in w.chunks_exact(runs.offsets.len()).enumerate() {
            for (w, offset) in w.iter().zip(runs.offsets) {
                let at = channel * runs.plane + offset;
                let mut pixels = [splat::<S, R>(simd, R::zero()); N];
                for n in 0..N {
                    pixels[n] = load::<S, R>(simd, x[n].add(at));
                }
                for o in 0..PLANES {
                    let w = splat::<S, R>(simd, w[o]);
                    for n in 0..N {
                        sums[o][n] = w.mul_add(pixels[n], sums[o][n]);
                    }
                }
            }
        }
        for o in 0..PLANES.min(out.len() / runs.tile_plane) {
            for n in 0..N {
                let to = out.as_mut_ptr().add(o * runs.tile_plane + pixels[n]);
                let sum = if runs.add { load::<S, R>(simd, to) + sums[o][n] } else { sums[o][n] };
                store::<S, R>(sum, to);
            }
        }
    }
}

#[inline(always)]
fn correlate_loop<S: Simd, R: Real>(
    simd: S,
    runs: &Runs,
    operands: [&[R]; 2],
    lens: [usize; 2],
    size: [usize; 2],
    count: usize,
    sums: &mut [R; 3 * PLANES],
) {
    let mut lanes = [[[R::zero(); LANES]; PLANES]; 3];
    // Where registers are few and a product takes one before it is added, they hold half of the planes.
    for first in (0..LANES).step_by(len::<S, R>()) {
        if registers::<S, R>() == 32 || len::<S, R>() * size_of::<R>() > 16 {
            planes::<S, R, PLANES>(simd, runs, operands, lens, size, count, [first, 0], &mut lanes);
        } else {
            for plane in [0, PLANES / 2] {
                planes::<S, R, { PLANES / 2 }>(
                    simd,
                    runs,
                    operands,
                    lens,
                    size,
                    count,
                    [first, plane],
                    &mut lanes,
                );
            }
        }
    }
    for (to, lanes) in sums.iter_mut().zip(lanes.as_flattened()) {
        *to = fold(*lanes);
    }
}

/// A vector of the lanes from `first` on, and P planes from `plane` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn planes<S: Simd, R: Real, const P: usize>(
    simd: S,
    runs: &Runs,
    [x, g]: [&[R]; 2],
    lens: [usize; 2],
    [height, row]: [usize; 2],
    count: usize,
    [first, plane]: [usize; 2],
    out: &mut [[[R; LANES]; PLANES]; 3],
) {
    // The lanes of a run of 8 lie in every second row.
    let (rows, columns) = if runs.lanes == LANES { (1, LANES) } else { (2, LANES / 2) };
    let (below, start) = (first / columns, first % columns);
    let g = &g[plane * runs.tile_plane..];
    assert!(height.is_multiple_of(rows) && row.is_multiple_of(columns) && len::<S, R>() <= columns);
    assert!((count - 1) * lens[0] + (height + 1) * runs.width + row <= x.len());
    assert!((count - 1) * lens[1] + (P - 1) * runs.tile_plane + height * row <= g.len());
    let mut sums = [[splat::<S, R>(simd, R::zero()); P]; 3];
    for image in 0..count {
        for y in (below..height).step_by(rows) {
            for column in (start..row).step_by(columns) {
                // SAFETY: the last pixels of the last row of the last image were asserted to be there.
                unsafe {
                    let x = x.as_ptr().add(image * lens[0] + y * runs.width + column);
                    let g = g.as_ptr().add(image * lens[1] + y * row + column);
                    let mut rows = [splat::<S, R>(simd, R::zero()); 3];
                    for ky in 0..3 {
                        rows[ky] = load::<S, R>(simd, x.add(ky * runs.width));
                    }
                    for o in 0..P {
                        let g = load::<S, R>(simd, g.add(o * runs.tile_plane));
                        for ky in 0..3 {
                            sums[ky][o] = g.mul_add(rows[ky], sums[ky][o]);
                        }
                    }
                }
            }
        }
    }
    for ky in 0..3 {
        for o in 0..P {
            put::<S, R>(sums[ky][o], &mut out[ky][plane + o][first..]);
        }
    }
}

/// Sum of the lanes, by halves.
#[inline(always)]
fn fold<R: Real>(mut lanes: [R; LANES]) -> R {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}
