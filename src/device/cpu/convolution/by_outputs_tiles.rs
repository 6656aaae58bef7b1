//! The inner loops of [`super::by_outputs`] and [`super::by_outputs_grad`]. Sums stay in registers, as in [`super::direct_tiles`].

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Simd, SimdFloat};

use crate::device::cpu::vectors::{Real, len, load, put, registers, splat, vectorized};

/// Outputs that are taken together: whole vectors of every width.
pub(crate) const LANES: usize = 16;
/// Positions of a tile.
pub(crate) const TILE: usize = 8;
/// Positions of a tile where rows are shorter, or registers few.
pub(crate) const NARROW: usize = 4;

/// Which elements of a padded image `(C,H,W)` an output adds up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taps {
    pub channels: usize,
    /// `H·W`
    pub plane: usize,
    /// `W`
    pub width: usize,
    /// `[kh, kw]`
    pub kernel: [usize; 2],
    /// 1 or 2.
    pub stride: usize,
}

vectorized! {
    /// 4 or 8 neighbouring positions from the first element of x on, `form` being their number, the outputs `N`, a multiple of 16, and
    /// the stride: `w (C,kh,kw,N)`, `sums (positions, N)`. `offsets` ascend.
    pub(crate) fn convolve(offsets: &[usize], x: &[R], w: &[R], form: [usize; 3], sums: &mut [R]) = convolve_loop;

    /// `Σ x[s·position + tap]·g[position]` over all positions of some images, `(K,K,16)`: `x (images,H,W)` padded,
    /// `g (images,OH,OW,16)`. K is 3 or 5.
    pub(crate) fn correlate(taps: &Taps, x: &[R], g: &[R], columns: usize, sums: &mut [R]) = correlate_loop;
}

#[inline(always)]
fn convolve_loop<S: Simd, R: Real>(
    simd: S,
    offsets: &[usize],
    x: &[R],
    w: &[R],
    [positions, outputs, stride]: [usize; 3],
    sums: &mut [R],
) {
    let last = offsets.last().map_or(0, |last| last + (positions - 1) * stride);
    assert!(last < x.len() && offsets.len() * outputs <= w.len() && positions * outputs <= sums.len());
    let vector = len::<S, R>();
    let few = registers::<S, R>() == 16;
    let mut at = 0;
    // SAFETY: the last position of the last offset was asserted to be there, and none is larger; the vectors lie in w and sums.
    unsafe {
        while at < outputs {
            let left = (outputs - at) / vector;
            let tile = Tile { offsets, x, w, stride, outputs, at };
            let done = match (few, left) {
                (false, 3) => {
                    tile.positions::<S, 3>(simd, positions, sums);
                    3
                }
                (_, 2..) => {
                    tile.positions::<S, 2>(simd, positions, sums);
                    2
                }
                _ => {
                    tile.positions::<S, 1>(simd, positions, sums);
                    1
                }
            };
            at += done * vector;
        }
    }
}

/// Some vectors of the outputs, from `at` on.
struct Tile<'a, R> {
    offsets: &'a [usize],
    x: &'a [R],
    w: &'a [R],
    stride: usize,
    outputs: usize,
    at: usize,
}

impl<R: Real> Tile<'_, R> {
    /// # Safety
    /// x holds all positions of all offsets, w and sums all outputs.
    #[inline(always)]
    unsafe fn positions<S: Simd, const N: usize>(&self, simd: S, positions: usize, sums: &mut [R]) {
        // SAFETY: the caller's promise.
        unsafe {
            match (registers::<S, R>() == 32 && positions == TILE, self.stride) {
                (true, 1) => self.add_up::<S, TILE, N, 1>(simd, 0, sums),
                (true, _) => self.add_up::<S, TILE, N, 2>(simd, 0, sums),
                (false, 1) => {
                    (0..positions).step_by(NARROW).for_each(|p| self.add_up::<S, NARROW, N, 1>(simd, p, sums))
                }
                (false, _) => {
                    (0..positions).step_by(NARROW).for_each(|p| self.add_up::<S, NARROW, N, 2>(simd, p, sums))
                }
            }
        }
    }

    /// P positions from `first` on.
    ///
    /// # Safety
    /// As for [`Tile::positions`].
    #[inline(always)]
    unsafe fn add_up<S: Simd, const P: usize, const N: usize, const STRIDE: usize>(
        &self,
        simd: S,
        first: usize,
        out: &mut [R],
    ) {
        let mut sums = [[splat::<S, R>(simd, R::zero()); N]; P];
        // SAFETY: the caller's promise.
        unsafe {
            let x = self.x.as_ptr().add(first * STRIDE);
            let mut w = self.w.as_ptr().add(self.at);
            for &offset in self.offsets {
                let mut weights = [splat::<S, R>(simd, R::zero()); N];
                for n in 0..N {
                    weights[n] = load::<S, R>(simd, w.add(n * len::<S, R>()));
                }
                for p in 0..P {
                    let x = splat::<S, R>(simd, *x.add(offset + p * STRIDE));
                    for n in 0..N {
                        sums[p][n] = x.mul_add(weights[n], sums[p][n]);
                    }
                }
                w = w.add(self.outputs);
            }
        }
        for p in 0..P {
            for n in 0..N {
                let at = (first + p) * self.outputs + self.at + n * len::<S, R>();
                put::<S, R>(sums[p][n], &mut out[at..]);
            }
        }
    }
}

#[inline(always)]
fn correlate_loop<S: Simd, R: Real>(simd: S, taps: &Taps, x: &[R], g: &[R], columns: usize, sums: &mut [R]) {
    match (taps.kernel[0], taps.stride) {
        (3, 1) => correlate_taps::<S, R, 3, 1>(simd, taps, x, g, columns, sums),
        (3, _) => correlate_taps::<S, R, 3, 2>(simd, taps, x, g, columns, sums),
        (_, 1) => correlate_taps::<S, R, 5, 1>(simd, taps, x, g, columns, sums),
        (_, _) => correlate_taps::<S, R, 5, 2>(simd, taps, x, g, columns, sums),
    }
}

/// All taps of a vector at a time, or where registers are too few for that one row of taps of two vectors.
#[inline(always)]
fn correlate_taps<S: Simd, R: Real, const K: usize, const STRIDE: usize>(
    simd: S,
    taps: &Taps,
    x: &[R],
    g: &[R],
    columns: usize,
    sums: &mut [R],
) {
    let vector = len::<S, R>();
    if registers::<S, R>() == 32 || K == 3 {
        for lane in (0..LANES).step_by(vector) {
            part::<S, R, K, K, STRIDE, 1>(simd, taps, x, g, columns, [0, lane], sums);
        }
    } else {
        for lane in (0..LANES).step_by(2 * vector) {
            for ky in 0..K {
                part::<S, R, K, 1, STRIDE, 2>(simd, taps, x, g, columns, [ky, lane], sums);
            }
        }
    }
}

/// `ROWS` rows of taps from row `ky` on, and N vectors of them from `lane` on.
#[inline(always)]
fn part<S: Simd, R: Real, const K: usize, const ROWS: usize, const STRIDE: usize, const N: usize>(
    simd: S,
    taps: &Taps,
    x: &[R],
    g: &[R],
    columns: usize,
    [ky, lane]: [usize; 2],
    out: &mut [R],
) {
    let (width, vector) = (taps.width, len::<S, R>());
    let rows = (taps.plane / width - K) / STRIDE + 1;
    let images = x.len() / taps.plane;
    assert!(lane + N * vector <= LANES && images * rows * columns * LANES <= g.len());
    assert!(((rows - 1) * STRIDE + K - 1) * width + (columns - 1) * STRIDE + K <= taps.plane);
    let mut sums = [[[splat::<S, R>(simd, R::zero()); N]; K]; ROWS];
    // SAFETY: all taps of the last position, and all lanes of its g, were asserted to be there.
    unsafe {
        let mut g = g.as_ptr().add(lane);
        for image in 0..images {
            for y in 0..rows {
                let mut x = x.as_ptr().add(image * taps.plane + (y * STRIDE + ky) * width);
                for _ in 0..columns {
                    let mut gradients = [splat::<S, R>(simd, R::zero()); N];
                    for n in 0..N {
                        gradients[n] = load::<S, R>(simd, g.add(n * vector));
                    }
                    for row in 0..ROWS {
                        for kx in 0..K {
                            let x = splat::<S, R>(simd, *x.add(row * width + kx));
                            for n in 0..N {
                                sums[row][kx][n] = x.mul_add(gradients[n], sums[row][kx][n]);
                            }
                        }
                    }
                    (x, g) = (x.add(STRIDE), g.add(LANES));
                }
            }
        }
    }
    for row in 0..ROWS {
        for kx in 0..K {
            for n in 0..N {
                let at = ((ky + row) * K + kx) * LANES + lane + n * vector;
                put::<S, R>(sums[row][kx][n], &mut out[at..]);
            }
        }
    }
}
