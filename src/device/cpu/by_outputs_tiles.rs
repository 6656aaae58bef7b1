//! The inner loops of [`super::by_outputs`] and [`super::by_outputs_grad`].
//!
//! Written so that compilers keep every sum in a register, as those of [`super::direct_tiles`].

use super::{lanes::multiply_add, real::Real};

/// Outputs of a vector.
pub const LANES: usize = 16;
/// Positions of a tile.
pub const TILE: usize = 8;
/// Positions of a tile where rows are shorter, or registers not wide.
pub const NARROW: usize = 4;

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
/// 4 or 8 positions, 1 to 3 vectors. `offsets` ascend.
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
        (_, 1, 1) => tile::<R, NARROW, 1, 1, FUSED>(offsets, x, w, sums),
        (_, 2, 1) => tile::<R, NARROW, 2, 1, FUSED>(offsets, x, w, sums),
        (_, 3, 1) => tile::<R, NARROW, 3, 1, FUSED>(offsets, x, w, sums),
        (_, 1, _) => tile::<R, NARROW, 1, 2, FUSED>(offsets, x, w, sums),
        (_, 2, _) => tile::<R, NARROW, 2, 2, FUSED>(offsets, x, w, sums),
        (_, _, _) => tile::<R, NARROW, 3, 2, FUSED>(offsets, x, w, sums),
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
    let last = offsets.last().map_or(0, |last| last + (P - 1) * STRIDE);
    assert!(last < x.len());
    for (&offset, w) in offsets.iter().zip(w.as_chunks::<LANES>().0.as_chunks::<V>().0) {
        // SAFETY: the last position of the last offset was asserted to be there, and none is larger.
        let x: [R; P] = std::array::from_fn(|p| unsafe { *x.get_unchecked(offset + p * STRIDE) });
        let w: [[R; LANES]; V] = *w;
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
/// `g (images,OH,OW,16)`. K is 3 or 5. Registers that are not wide hold half of the vectors of 3×3 taps at a time, or one
/// row of 5×5 taps.
#[inline(always)]
pub fn correlate<R: Real, const FUSED: bool>(
    taps: &Taps,
    x: &[R],
    g: &[R],
    columns: usize,
    wide: bool,
    sums: &mut [R],
) {
    match (taps.kernel[0], taps.stride) {
        (3, 1) => correlate_taps::<R, 3, 1, FUSED>(taps, x, g, columns, wide, sums),
        (3, _) => correlate_taps::<R, 3, 2, FUSED>(taps, x, g, columns, wide, sums),
        (_, 1) => correlate_taps::<R, 5, 1, FUSED>(taps, x, g, columns, wide, sums),
        (_, _) => correlate_taps::<R, 5, 2, FUSED>(taps, x, g, columns, wide, sums),
    }
}

#[inline(always)]
fn correlate_taps<R: Real, const K: usize, const STRIDE: usize, const FUSED: bool>(
    taps: &Taps,
    x: &[R],
    g: &[R],
    columns: usize,
    wide: bool,
    sums: &mut [R],
) {
    match (wide, K) {
        (true, _) => part::<R, K, K, STRIDE, LANES, FUSED>(taps, x, g, columns, [0, 0], sums),
        (false, 3) => {
            for lane in [0, LANES / 2] {
                part::<R, K, K, STRIDE, { LANES / 2 }, FUSED>(taps, x, g, columns, [0, lane], sums);
            }
        }
        (false, _) => {
            for ky in 0..K {
                part::<R, K, 1, STRIDE, LANES, FUSED>(taps, x, g, columns, [ky, 0], sums);
            }
        }
    }
}

/// `ROWS` rows of taps from row `ky` on, and `N` lanes of them from `lane` on.
#[inline(always)]
fn part<
    R: Real,
    const K: usize,
    const ROWS: usize,
    const STRIDE: usize,
    const N: usize,
    const FUSED: bool,
>(
    taps: &Taps,
    x: &[R],
    g: &[R],
    columns: usize,
    [ky, lane]: [usize; 2],
    out: &mut [R],
) {
    let mut sums = [[[R::zero(); N]; K]; ROWS];
    let rows = (taps.plane / taps.width - K) / STRIDE + 1;
    let images = x.chunks(taps.plane).zip(g.chunks(rows * columns * LANES));
    for (x, g) in images {
        let x = &x[ky * taps.width..];
        sums = add_image::<R, K, ROWS, STRIDE, N, FUSED>(x, taps.width, g.as_chunks().0, columns, lane, sums);
    }
    let out = out.as_chunks_mut::<LANES>().0[ky * K..].iter_mut();
    for (out, sums) in out.zip(sums.as_flattened()) {
        out[lane..lane + N].copy_from_slice(sums);
    }
}

/// Adds the products of one image. By value, by indices, and without a way out of the loops: so the compiler keeps the sums in
/// registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn add_image<
    R: Real,
    const K: usize,
    const ROWS: usize,
    const STRIDE: usize,
    const N: usize,
    const FUSED: bool,
>(
    x: &[R],
    width: usize,
    g: &[[R; LANES]],
    columns: usize,
    lane: usize,
    mut sums: [[[R; N]; K]; ROWS],
) -> [[[R; N]; K]; ROWS] {
    let rows = g.len() / columns;
    assert!(lane + N <= LANES && rows * columns > 0);
    assert!(((rows - 1) * STRIDE + ROWS - 1) * width + (columns - 1) * STRIDE + K <= x.len());
    for (y, g) in g.chunks_exact(columns).enumerate() {
        for (column, g) in g.iter().enumerate() {
            for row in 0..ROWS {
                for kx in 0..K {
                    // SAFETY: the last element of x, and N lanes of g, were asserted to be there.
                    unsafe {
                        let x = *x.get_unchecked((y * STRIDE + row) * width + column * STRIDE + kx);
                        for i in 0..N {
                            let g = *g.get_unchecked(lane + i);
                            sums[row][kx][i] = multiply_add::<R, FUSED>(x, g, sums[row][kx][i]);
                        }
                    }
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_registers_give_the_bits_of_wide_ones() {
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            let [rows, columns, images] = [6, 5, 2];
            let [height, width] = [rows, columns].map(|n| (n - 1) * stride + kernel);
            let taps = Taps { channels: 1, plane: height * width, width, kernel: [kernel; 2], stride };
            let x: Vec<f32> = (0..images * taps.plane).map(|i| (i as f32 * 0.7).sin()).collect();
            let g: Vec<f32> = (0..images * rows * columns * LANES).map(|i| (i as f32 * 1.3).cos()).collect();
            let [wide, narrow] = [true, false].map(|wide| {
                let mut sums = vec![0.0; kernel * kernel * LANES];
                correlate::<f32, false>(&taps, &x, &g, columns, wide, &mut sums);
                sums
            });
            assert!(wide.iter().all(|sum| *sum != 0.0));
            assert_eq!(wide, narrow, "kernel {kernel}, stride {stride}");
        }
    }
}
