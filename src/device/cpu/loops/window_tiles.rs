//! Pooling by windows that lie side by side, as in most networks: kernel and stride are one, nothing is padded. The
//! same results as for windows of any kind, without a branch for each element, vectors of windows at a time.

// Indices, not iterators: arrays of vectors that are moved through iterators leave the registers.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

use crate::{
    device::cpu::vectors::{Real, V, first, len, made_of, put, splat, vectorized},
    tape::spec::WindowSpec,
};

/// The side of the windows, where they lie so and this file knows it.
pub fn side(spec: &WindowSpec) -> Option<usize> {
    let side = spec.kernel[0];
    let tiles = spec.kernel == [side; 2] && spec.stride == [side; 2] && spec.padding == [0; 2];
    (tiles && (2..=3).contains(&side)).then_some(side)
}

/// How many of `planes` planes can be taken as one, since no row is left over below their windows, and the windows of those.
pub fn stacked(spec: &WindowSpec, side: usize, planes: usize) -> (usize, WindowSpec) {
    let [height, width] = spec.size;
    let together = if height.is_multiple_of(side) { planes } else { 1 };
    (together, WindowSpec { size: [height * together, width], ..*spec })
}

vectorized! {
    /// `window_argmax` of planes that lie one below the other as one, windows of `side`.
    pub fn argmax(side: usize, spec: &WindowSpec, x: &[R], out: &mut [R]) = argmax_loop;
    /// `window_gather` of such planes.
    pub fn gather(side: usize, spec: &WindowSpec, x: &[R], index: &[R], out: &mut [R]) = gather_loop;
    /// `window_scatter` of such planes.
    pub fn scatter(side: usize, spec: &WindowSpec, g: &[R], index: &[R], out: &mut [R]) = scatter_loop;
    /// `window_sum` of such planes.
    pub fn sum(side: usize, spec: &WindowSpec, x: &[R], out: &mut [R]) = sum_loop;
    /// `window_spread` of such planes.
    pub fn spread(side: usize, spec: &WindowSpec, g: &[R], out: &mut [R]) = spread_loop;
}

/// Elements `i` of every window: `to[kx][i] = row[K·i + kx]`, zeros after the last.
#[inline(always)]
fn columns<S: Simd, R: Real, const K: usize>(simd: S, row: &[R]) -> [V<S, R>; K] {
    let width = len::<S, R>();
    if K == 2 && row.len() >= 2 * width {
        let (even, odd) = first::<S, R>(simd, row).deinterleave(first::<S, R>(simd, &row[width..]));
        let mut columns = [even; K];
        columns[1] = odd;
        return columns;
    }
    let mut columns = [splat::<S, R>(simd, R::zero()); K];
    for kx in 0..K {
        columns[kx] = made_of::<S, R>(simd, |i| row.get(K * i + kx).copied().unwrap_or(R::zero()));
    }
    columns
}

/// The inverse of [`columns`], as far as the row reaches.
#[inline(always)]
fn put_columns<S: Simd, R: Real, const K: usize>(columns: [V<S, R>; K], row: &mut [R]) {
    let width = len::<S, R>();
    if K == 2 && row.len() >= 2 * width {
        let (low, high) = columns[0].interleave(columns[1]);
        put::<S, R>(low, row);
        return put::<S, R>(high, &mut row[width..]);
    }
    for (i, to) in row.as_chunks_mut::<K>().0.iter_mut().enumerate().take(width) {
        for kx in 0..K {
            to[kx] = columns[kx][i];
        }
    }
}

/// A vector of numbers, and zeros after the last.
#[inline(always)]
fn some<S: Simd, R: Real>(simd: S, from: &[R]) -> V<S, R> {
    match from.len() >= len::<S, R>() {
        true => first(simd, from),
        false => made_of::<S, R>(simd, |i| from.get(i).copied().unwrap_or(R::zero())),
    }
}

/// As many numbers of a vector as there is room for.
#[inline(always)]
fn put_some<S: Simd, R: Real>(value: V<S, R>, to: &mut [R]) {
    match to.len() >= len::<S, R>() {
        true => put::<S, R>(value, to),
        false => to.iter_mut().enumerate().for_each(|(i, to)| *to = value[i]),
    }
}

/// The elements of some windows.
#[derive(Clone, Copy)]
struct Rows {
    start: usize,
    len: usize,
    width: usize,
}

impl Rows {
    /// Those in the windows' row `ky`.
    #[inline(always)]
    fn of(&self, ky: usize) -> Range<usize> {
        let start = self.start + ky * self.width;
        start..start + self.len
    }
}

/// Calls `body` with the windows `at` of row `oy`, a vector of them or fewer, and their elements in the rows of the planes.
#[inline(always)]
fn each<S: Simd, R: Real, const K: usize>(spec: &WindowSpec, mut body: impl FnMut(Range<usize>, Rows)) {
    let (oh, ow, width) = (spec.size[0] / K, spec.size[1] / K, spec.size[1]);
    for oy in 0..oh {
        for ox in (0..ow).step_by(len::<S, R>()) {
            let count = len::<S, R>().min(ow - ox);
            let rows = Rows { start: oy * K * width + ox * K, len: count * K, width };
            body(oy * ow + ox..oy * ow + ox + count, rows);
        }
    }
}

/// The number of a window's element.
#[inline(always)]
fn number<R: Real, const K: usize>(ky: usize, kx: usize) -> R {
    R::of((ky * K + kx) as f64)
}

#[inline(always)]
fn argmax_loop<S: Simd, R: Real>(simd: S, side: usize, spec: &WindowSpec, x: &[R], out: &mut [R]) {
    match side {
        2 => argmax_of::<S, R, 2>(simd, spec, x, out),
        _ => argmax_of::<S, R, 3>(simd, spec, x, out),
    }
}

#[inline(always)]
fn argmax_of<S: Simd, R: Real, const K: usize>(simd: S, spec: &WindowSpec, x: &[R], out: &mut [R]) {
    each::<S, R, K>(
        spec,
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
fn gather_loop<S: Simd, R: Real>(
    simd: S,
    side: usize,
    spec: &WindowSpec,
    x: &[R],
    index: &[R],
    out: &mut [R],
) {
    match side {
        2 => gather_of::<S, R, 2>(simd, spec, x, index, out),
        _ => gather_of::<S, R, 3>(simd, spec, x, index, out),
    }
}

#[inline(always)]
fn gather_of<S: Simd, R: Real, const K: usize>(
    simd: S,
    spec: &WindowSpec,
    x: &[R],
    index: &[R],
    out: &mut [R],
) {
    each::<S, R, K>(
        spec,
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
fn scatter_loop<S: Simd, R: Real>(
    simd: S,
    side: usize,
    spec: &WindowSpec,
    g: &[R],
    index: &[R],
    out: &mut [R],
) {
    match side {
        2 => scatter_of::<S, R, 2>(simd, spec, g, index, out),
        _ => scatter_of::<S, R, 3>(simd, spec, g, index, out),
    }
}

#[inline(always)]
fn scatter_of<S: Simd, R: Real, const K: usize>(
    simd: S,
    spec: &WindowSpec,
    g: &[R],
    index: &[R],
    out: &mut [R],
) {
    clear_rest(spec, K, out);
    let zero = splat::<S, R>(simd, R::zero());
    each::<S, R, K>(
        spec,
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
fn sum_loop<S: Simd, R: Real>(simd: S, side: usize, spec: &WindowSpec, x: &[R], out: &mut [R]) {
    match side {
        2 => sum_of::<S, R, 2>(simd, spec, x, out),
        _ => sum_of::<S, R, 3>(simd, spec, x, out),
    }
}

#[inline(always)]
fn sum_of<S: Simd, R: Real, const K: usize>(simd: S, spec: &WindowSpec, x: &[R], out: &mut [R]) {
    let zero = splat::<S, R>(simd, R::zero());
    each::<S, R, K>(
        spec,
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
fn spread_loop<S: Simd, R: Real>(simd: S, side: usize, spec: &WindowSpec, g: &[R], out: &mut [R]) {
    match side {
        2 => spread_of::<S, R, 2>(simd, spec, g, out),
        _ => spread_of::<S, R, 3>(simd, spec, g, out),
    }
}

#[inline(always)]
fn spread_of<S: Simd, R: Real, const K: usize>(simd: S, spec: &WindowSpec, g: &[R], out: &mut [R]) {
    clear_rest(spec, K, out);
    each::<S, R, K>(
        spec,
        #[inline(always)]
        |at, rows| {
            let g = some::<S, R>(simd, &g[at]);
            for ky in 0..K {
                put_columns::<S, R, K>([g; K], &mut out[rows.of(ky)]);
            }
        },
    );
}

/// Zeros where no window reaches: to the right of them and below.
#[inline(always)]
fn clear_rest<R: Real>(spec: &WindowSpec, side: usize, out: &mut [R]) {
    let (oh, ow, width) = (spec.size[0] / side, spec.size[1] / side, spec.size[1]);
    let (inside, below) = out.split_at_mut(oh * side * width);
    below.fill(R::zero());
    if ow * side < width {
        inside.chunks_mut(width).for_each(|row| row[ow * side..].fill(R::zero()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::vectors::Isa;

    fn spec(size: [usize; 2], side: usize) -> WindowSpec {
        WindowSpec { size, kernel: [side; 2], stride: [side; 2], padding: [0; 2] }
    }

    #[test]
    fn the_first_largest_wins_and_nan_before_all() {
        let spec = spec([2, 7], 2);
        let nan = f32::NAN;
        let x = [1.0, 1.0, -3.0, -2.0, nan, 5.0, 9.0, 1.0, 1.0, -1.0, -1.0, 7.0, nan, 9.0];
        for isa in Isa::available() {
            let mut at = [0.0; 3];
            argmax(isa, 2, &spec, &x, &mut at);
            assert_eq!(at, [0.0, 2.0, 0.0]);
            let mut found = [0.0; 3];
            gather(isa, 2, &spec, &x, &at, &mut found);
            assert!(found[..2] == [1.0, -1.0] && found[2].is_nan());
        }
    }

    #[test]
    fn what_lies_outside_all_windows_gets_nothing() {
        let spec = spec([4, 5], 3);
        for isa in Isa::available() {
            let mut to = [9.0f64; 20];
            scatter(isa, 3, &spec, &[2.5], &[5.0], &mut to);
            let mut expected = [0.0; 20];
            expected[7] = 2.5;
            assert_eq!(to, expected);
            // An index outside the window is nobody's.
            scatter(isa, 3, &spec, &[2.5], &[9.0], &mut to);
            assert_eq!(to, [0.0; 20]);
            spread(isa, 3, &spec, &[2.5], &mut to);
            let expected = std::array::from_fn(|i| if i / 5 < 3 && i % 5 < 3 { 2.5 } else { 0.0 });
            assert_eq!(to, expected);
        }
    }

    #[test]
    fn sums_and_their_adjoint_of_rows_that_fill_no_vector() {
        for (side, width) in [(2, 78), (2, 6), (3, 57)] {
            let spec = spec([2 * side, width], side);
            let x: Vec<f32> = (0..2 * side * width).map(|i| (i % 13) as f32).collect();
            let count = 2 * (width / side);
            for isa in Isa::available() {
                let mut sums = vec![0.0; count];
                sum(isa, side, &spec, &x, &mut sums);
                let mut out = vec![0.0; x.len()];
                spread(isa, side, &spec, &sums, &mut out);
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
