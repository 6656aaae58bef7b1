//! The inner loops of [`super::by_outputs`] and [`super::by_outputs_grad`].
//!
//! Written so that compilers keep every sum in a register, as those of [`super::direct_tiles`].

use super::{lanes::multiply_add, real::Real};

/// Outputs of a vector.
pub const LANES: usize = 16;
/// Positions of a tile; rows that are shorter take half of it.
pub const TILE: usize = 8;

/// Which elements of a padded image `(C,H,W)` an output adds up.
#[derive(Clone, Copy, Debug)]
pub struct Taps {
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

/// Neighbouring positions from the first element of x on; `w (C,kh,kw,vectors·16)`, `sums (positions, vectors·16)`,
/// 4 or 8 positions, 1 to 3 vectors.
#[inline(always)]
pub fn convolve<R: Real, const FUSED: bool>(
    offsets: &[usize],
    x: &[R],
    w: &[R],
    [vectors, stride]: [usize; 2],
    sums: &mut [R],
) {
    let positions = sums.len() / (vectors * LANES);
    match (positions, vectors, stride) {
        (TILE, 1, 1) => tile::<R, TILE, 1, 1, FUSED>(offsets, x, w, sums),
        (TILE, 2, 1) => tile::<R, TILE, 2, 1, FUSED>(offsets, x, w, sums),
        (TILE, 3, 1) => tile::<R, TILE, 3, 1, FUSED>(offsets, x, w, sums),
        (TILE, 1, _) => tile::<R, TILE, 1, 2, FUSED>(offsets, x, w, sums),
        (TILE, 2, _) => tile::<R, TILE, 2, 2, FUSED>(offsets, x, w, sums),
        (TILE, _, _) => tile::<R, TILE, 3, 2, FUSED>(offsets, x, w, sums),
        (_, 1, 1) => tile::<R, 4, 1, 1, FUSED>(offsets, x, w, sums),
        (_, 2, 1) => tile::<R, 4, 2, 1, FUSED>(offsets, x, w, sums),
        (_, 3, 1) => tile::<R, 4, 3, 1, FUSED>(offsets, x, w, sums),
        (_, 1, _) => tile::<R, 4, 1, 2, FUSED>(offsets, x, w, sums),
        (_, 2, _) => tile::<R, 4, 2, 2, FUSED>(offsets, x, w, sums),
        (_, _, _) => tile::<R, 4, 3, 2, FUSED>(offsets, x, w, sums),
    }
}

#[inline(always)]
fn tile<R: Real, const P: usize, const V: usize, const STRIDE: usize, const FUSED: bool>(
    offsets: &[usize],
    x: &[R],
    w: &[R],
    out: &mut [R],
) {
    let mut sums = [[[R::zero(); LANES]; V]; P];
    for (&offset, w) in offsets.iter().zip(w.as_chunks::<LANES>().0.as_chunks::<V>().0) {
        let x = &x[offset..][..(P - 1) * STRIDE + 1];
        let (x, w): ([R; P], [[R; LANES]; V]) = (std::array::from_fn(|p| x[p * STRIDE]), *w);
        // Lanes outermost: so the compiler finds the vectors.
        for lane in 0..LANES {
            for p in 0..P {
                for v in 0..V {
                    sums[p][v][lane] = multiply_add::<R, FUSED>(x[p], w[v][lane], sums[p][v][lane]);
                }
            }
        }
    }
    out[..P * V * LANES].copy_from_slice(sums.as_flattened().as_flattened());
}

/// `Σ x[s·position + tap]·g[position]` over all positions of some images, `(K,K,16)`: `x (images,H,W)` padded,
/// `g (images,OH,OW,16)`. K is 3 or 5.
#[inline(always)]
pub fn correlate<R: Real, const FUSED: bool>(taps: &Taps, x: &[R], g: &[R], columns: usize, sums: &mut [R]) {
    match (taps.kernel[0], taps.stride) {
        (3, 1) => sum::<R, 3, 1, FUSED>(taps, x, g, columns, sums),
        (3, _) => sum::<R, 3, 2, FUSED>(taps, x, g, columns, sums),
        (_, 1) => sum::<R, 5, 1, FUSED>(taps, x, g, columns, sums),
        (_, _) => sum::<R, 5, 2, FUSED>(taps, x, g, columns, sums),
    }
}

#[inline(always)]
fn sum<R: Real, const K: usize, const STRIDE: usize, const FUSED: bool>(
    taps: &Taps,
    x: &[R],
    g: &[R],
    columns: usize,
    out: &mut [R],
) {
    let mut sums = [[[R::zero(); LANES]; K]; K];
    let images = x.chunks(taps.plane);
    let rows = (taps.plane / taps.width - K) / STRIDE + 1;
    for (x, g) in images.zip(g.chunks(rows * columns * LANES)) {
        for (y, g) in g.chunks(columns * LANES).enumerate() {
            let rows: [&[R]; K] =
                std::array::from_fn(|ky| &x[(y * STRIDE + ky) * taps.width..][..(columns - 1) * STRIDE + K]);
            for (column, g) in g.as_chunks::<LANES>().0.iter().enumerate() {
                let x: [[R; K]; K] = std::array::from_fn(|ky| {
                    *rows[ky][column * STRIDE..].first_chunk().expect("a row of taps")
                });
                // Lanes outermost: so the compiler finds the vectors.
                let g = *g;
                for lane in 0..LANES {
                    for ky in 0..K {
                        for kx in 0..K {
                            sums[ky][kx][lane] =
                                multiply_add::<R, FUSED>(x[ky][kx], g[lane], sums[ky][kx][lane]);
                        }
                    }
                }
            }
        }
    }
    out[..K * K * LANES].copy_from_slice(sums.as_flattened().as_flattened());
}
