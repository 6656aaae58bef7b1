//! Pooling by windows that lie side by side, as in most networks: kernel and stride are one, nothing is padded. The
//! same results as for windows of any kind, without a branch for each element, vectors of windows at a time.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

use super::window_rows::{clear_rest, columns, each, put_columns, put_some, some};
use crate::{
    device::cpu::vectors::{Real, splat, vectorized},
    tape::spec::WindowSpec,
};

/// Windows side by side, of planes that lie one below the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    /// 2 or 3.
    side: usize,
    /// Planes that are taken as one, since no row is left over below their windows.
    pub together: usize,
    /// Height and width of so many planes.
    size: [usize; 2],
}

impl Tiles {
    /// `None` where windows do not lie so, or this file does not know their side.
    pub(crate) fn of(spec: &WindowSpec, planes: usize) -> Option<Tiles> {
        let side = spec.kernel[0];
        let tiles = spec.kernel == [side; 2] && spec.stride == [side; 2] && spec.padding == [0; 2];
        let [height, width] = spec.size;
        let together = if tiles && height.is_multiple_of(side) { planes } else { 1 };
        let size = [height * together, width];
        (tiles && (2..=3).contains(&side)).then_some(Tiles { side, together, size })
    }
}

/// Calls a function that is compiled for the windows' side.
macro_rules! of_side {
    ($tiles:ident, $function:ident($($argument:expr),*)) => {
        match $tiles.side {
            2 => $function::<S, R, 2>($($argument),*),
            _ => $function::<S, R, 3>($($argument),*),
        }
    };
}

vectorized! {
    /// `window_argmax` of tiles.
    pub(crate) fn argmax(tiles: &Tiles, x: &[R], out: &mut [R]) = argmax_loop;
    /// `window_gather` of tiles.
    pub(crate) fn gather(tiles: &Tiles, x: &[R], index: &[R], out: &mut [R]) = gather_loop;
    /// `window_scatter` of tiles.
    pub(crate) fn scatter(tiles: &Tiles, g: &[R], index: &[R], out: &mut [R]) = scatter_loop;
    /// `window_sum` of tiles.
    pub(crate) fn sum(tiles: &Tiles, x: &[R], out: &mut [R]) = sum_loop;
    /// `window_spread` of tiles.
    pub(crate) fn spread(tiles: &Tiles, g: &[R], out: &mut [R]) = spread_loop;
}

/// The number of a window's element.
#[inline(always)]
fn number<R: Real, const K: usize>(ky: usize, kx: usize) -> R {
    R::of((ky * K + kx) as f64)
}

#[inline(always)]
fn argmax_loop<S: Simd, R: Real>(simd: S, tiles: &Tiles, x: &[R], out: &mut [R]) {
    of_side!(tiles, argmax_of(simd, tiles, x, out))
}

#[inline(always)]
fn argmax_of<S: Simd, R: Real, const K: usize>(simd: S, tiles: &Tiles, x: &[R], out: &mut [R]) {
    each::<S, R, K>(
        tiles.size,
        #[inline(always)]
        |at, rows| {
            let zero = splat::<S, R>(simd, R::zero());
            let mut window = [[zero; K]; K];
            for ky in 0..K {
                window[ky] = columns::<S, R, K>(simd, &x[rows.of(ky)]);
            }
            let (mut best, mut place) = (window[0][0], zero);
            for ky in 0..K {
                for kx in 0..K {
                    let value = window[ky][kx];
                    let larger = value.simd_gt(best) | (value.is_nan() & !best.is_nan());
                    best = larger.select(value, best);
                    place = larger.select(splat::<S, R>(simd, number::<R, K>(ky, kx)), place);
                }
            }
            put_some::<S, R>(place, &mut out[at]);
        },
    );
}

#[inline(always)]
fn gather_loop<S: Simd, R: Real>(simd: S, tiles: &Tiles, x: &[R], index: &[R], out: &mut [R]) {
    of_side!(tiles, gather_of(simd, tiles, x, index, out))
}

#[inline(always)]
fn gather_of<S: Simd, R: Real, const K: usize>(simd: S, tiles: &Tiles, x: &[R], index: &[R], out: &mut [R]) {
    each::<S, R, K>(
        tiles.size,
        #[inline(always)]
        |at, rows| {
            let index = some::<S, R>(simd, &index[at.clone()]);
            let mut found = splat::<S, R>(simd, R::zero());
            for ky in 0..K {
                let values = columns::<S, R, K>(simd, &x[rows.of(ky)]);
                for kx in 0..K {
                    found = index.simd_eq(number::<R, K>(ky, kx)).select(values[kx], found);
                }
            }
            put_some::<S, R>(found, &mut out[at]);
        },
    );
}

#[inline(always)]
fn scatter_loop<S: Simd, R: Real>(simd: S, tiles: &Tiles, g: &[R], index: &[R], out: &mut [R]) {
    of_side!(tiles, scatter_of(simd, tiles, g, index, out))
}

#[inline(always)]
fn scatter_of<S: Simd, R: Real, const K: usize>(simd: S, tiles: &Tiles, g: &[R], index: &[R], out: &mut [R]) {
    clear_rest(tiles.size, K, out);
    let zero = splat::<S, R>(simd, R::zero());
    each::<S, R, K>(
        tiles.size,
        #[inline(always)]
        |at, rows| {
            let (g, index) = (some::<S, R>(simd, &g[at.clone()]), some::<S, R>(simd, &index[at]));
            for ky in 0..K {
                let mut values = [zero; K];
                for kx in 0..K {
                    values[kx] = index.simd_eq(number::<R, K>(ky, kx)).select(g, zero);
                }
                put_columns::<S, R, K>(values, &mut out[rows.of(ky)]);
            }
        },
    );
}

#[inline(always)]
fn sum_loop<S: Simd, R: Real>(simd: S, tiles: &Tiles, x: &[R], out: &mut [R]) {
    of_side!(tiles, sum_of(simd, tiles, x, out))
}

#[inline(always)]
fn sum_of<S: Simd, R: Real, const K: usize>(simd: S, tiles: &Tiles, x: &[R], out: &mut [R]) {
    let zero = splat::<S, R>(simd, R::zero());
    each::<S, R, K>(
        tiles.size,
        #[inline(always)]
        |at, rows| {
            let mut sum = zero;
            for ky in 0..K {
                let values = columns::<S, R, K>(simd, &x[rows.of(ky)]);
                let mut row = zero;
                for kx in 0..K {
                    row += values[kx];
                }
                sum += row;
            }
            put_some::<S, R>(sum, &mut out[at]);
        },
    );
}

#[inline(always)]
fn spread_loop<S: Simd, R: Real>(simd: S, tiles: &Tiles, g: &[R], out: &mut [R]) {
    of_side!(tiles, spread_of(simd, tiles, g, out))
}

#[inline(always)]
fn spread_of<S: Simd, R: Real, const K: usize>(simd: S, tiles: &Tiles, g: &[R], out: &mut [R]) {
    clear_rest(tiles.size, K, out);
    each::<S, R, K>(
        tiles.size,
        #[inline(always)]
        |at, rows| {
            let g = some::<S, R>(simd, &g[at]);
            for ky in 0..K {
                put_columns::<S, R, K>([g; K], &mut out[rows.of(ky)]);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::vectors::Isa;

    fn tiles(size: [usize; 2], side: usize) -> Tiles {
        let spec = WindowSpec { size, kernel: [side; 2], stride: [side; 2], padding: [0; 2] };
        Tiles::of(&spec, 1).unwrap()
    }

    #[test]
    fn the_first_largest_wins_and_nan_before_all() {
        let tiles = tiles([2, 7], 2);
        let nan = f32::NAN;
        let x = [1.0, 1.0, -3.0, -2.0, nan, 5.0, 9.0, 1.0, 1.0, -1.0, -1.0, 7.0, nan, 9.0];
        for isa in Isa::available() {
            let mut at = [0.0; 3];
            argmax(isa, &tiles, &x, &mut at);
            assert_eq!(at, [0.0, 2.0, 0.0]);
            let mut found = [0.0; 3];
            gather(isa, &tiles, &x, &at, &mut found);
            assert!(found[..2] == [1.0, -1.0] && found[2].is_nan());
        }
    }

    #[test]
    fn what_lies_outside_all_windows_gets_nothing() {
        let tiles = tiles([4, 5], 3);
        for isa in Isa::available() {
            let mut to = [9.0f64; 20];
            scatter(isa, &tiles, &[2.5], &[5.0], &mut to);
            let mut expected = [0.0; 20];
            expected[7] = 2.5;
            assert_eq!(to, expected);
            // An index outside the window is nobody's.
            scatter(isa, &tiles, &[2.5], &[9.0], &mut to);
            assert_eq!(to, [0.0; 20]);
            spread(isa, &tiles, &[2.5], &mut to);
            let expected = std::array::from_fn(|i| if i / 5 < 3 && i % 5 < 3 { 2.5 } else { 0.0 });
            assert_eq!(to, expected);
        }
    }

    #[test]
    fn sums_and_their_adjoint_of_rows_that_fill_no_vector() {
        for (side, width) in [(2, 78), (2, 6), (3, 57)] {
            let tiles = tiles([2 * side, width], side);
            let x: Vec<f32> = (0..2 * side * width).map(|i| (i % 13) as f32).collect();
            let count = 2 * (width / side);
            for isa in Isa::available() {
                let mut sums = vec![0.0; count];
                sum(isa, &tiles, &x, &mut sums);
                let mut out = vec![0.0; x.len()];
                spread(isa, &tiles, &sums, &mut out);
                for (i, &found) in sums.iter().enumerate() {
                    let (oy, ox) = (i / (count / 2), i % (count / 2));
                    let elements: Vec<usize> = (0..side * side)
                        .map(|e| (oy * side + e / side) * width + ox * side + e % side)
                        .collect();
                    assert_eq!(found, elements.iter().map(|&e| x[e]).sum::<f32>());
                    assert!(elements.iter().all(|&e| out[e] == found));
                }
            }
        }
    }
}
