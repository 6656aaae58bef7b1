//! Pooling by windows that lie side by side, as in most networks: kernel and stride are one, nothing is padded. The
//! same results as for windows of any kind, without a branch for each element.

use super::real::Real;
use crate::tape::spec::WindowSpec;

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

/// [`super::window_argmax`] of planes that lie one below the other as one, windows of `side`.
#[inline(always)]
pub fn argmax<R: Real>(side: usize, spec: &WindowSpec, x: &[R], out: &mut [R]) {
    match side {
        2 => argmax_of::<R, 2>(spec, x, out),
        _ => argmax_of::<R, 3>(spec, x, out),
    }
}

/// [`super::window_gather`] of planes that lie one below the other as one.
#[inline(always)]
pub fn gather<R: Real>(side: usize, spec: &WindowSpec, x: &[R], index: &[R], out: &mut [R]) {
    match side {
        2 => gather_of::<R, 2>(spec, x, index, out),
        _ => gather_of::<R, 3>(spec, x, index, out),
    }
}

/// [`super::window_scatter`] of planes that lie one below the other as one.
#[inline(always)]
pub fn scatter<R: Real>(side: usize, spec: &WindowSpec, g: &[R], index: &[R], out: &mut [R]) {
    match side {
        2 => scatter_of::<R, 2>(spec, g, index, out),
        _ => scatter_of::<R, 3>(spec, g, index, out),
    }
}

/// The rows of windows in row `oy` of the output, each cut into the windows' own parts.
#[inline(always)]
fn rows<'x, R, const K: usize>(spec: &WindowSpec, x: &'x [R], oy: usize) -> [&'x [[R; K]]; K] {
    let ow = spec.output_size()[1];
    std::array::from_fn(|ky| {
        let row = &x[(oy * K + ky) * spec.size[1]..][..ow * K];
        row.as_chunks().0
    })
}

#[inline(always)]
fn argmax_of<R: Real, const K: usize>(spec: &WindowSpec, x: &[R], out: &mut [R]) {
    let ow = spec.output_size()[1];
    let number: [[R; K]; K] = std::array::from_fn(|ky| std::array::from_fn(|kx| R::of((ky * K + kx) as f64)));
    for (oy, out) in out.chunks_mut(ow).enumerate() {
        let rows = rows::<R, K>(spec, x, oy).map(|row| &row[..out.len()]);
        for (ox, to) in out.iter_mut().enumerate() {
            let (mut best, mut at) = (rows[0][ox][0], R::zero());
            for ky in 0..K {
                for kx in 0..K {
                    let value = rows[ky][ox][kx];
                    let larger = (value > best) | (value.is_nan() & !best.is_nan());
                    best = if larger { value } else { best };
                    at = if larger { number[ky][kx] } else { at };
                }
            }
            *to = at;
        }
    }
}

#[inline(always)]
fn gather_of<R: Real, const K: usize>(spec: &WindowSpec, x: &[R], index: &[R], out: &mut [R]) {
    let ow = spec.output_size()[1];
    let number: [[R; K]; K] = std::array::from_fn(|ky| std::array::from_fn(|kx| R::of((ky * K + kx) as f64)));
    for (oy, (out, index)) in out.chunks_mut(ow).zip(index.chunks(ow)).enumerate() {
        let rows = rows::<R, K>(spec, x, oy).map(|row| &row[..out.len()]);
        for (ox, (to, &index)) in out.iter_mut().zip(index).enumerate() {
            // Read before they are compared: so there is nothing to branch on.
            let window: [[R; K]; K] = std::array::from_fn(|ky| rows[ky][ox]);
            let mut found = R::zero();
            for ky in 0..K {
                for kx in 0..K {
                    found = if index == number[ky][kx] { window[ky][kx] } else { found };
                }
            }
            *to = found;
        }
    }
}

#[inline(always)]
fn scatter_of<R: Real, const K: usize>(spec: &WindowSpec, g: &[R], index: &[R], out: &mut [R]) {
    let [oh, ow] = spec.output_size();
    let width = spec.size[1];
    for (oy, (g, index)) in g.chunks(ow).zip(index.chunks(ow)).enumerate() {
        for ky in 0..K {
            let row = &mut out[(oy * K + ky) * width..][..width];
            let (inside, rest) = row.split_at_mut(ow * K);
            rest.fill(R::zero());
            let numbers: [R; K] = std::array::from_fn(|kx| R::of((ky * K + kx) as f64));
            for ((to, &g), &index) in inside.as_chunks_mut::<K>().0.iter_mut().zip(g).zip(index) {
                for kx in 0..K {
                    to[kx] = if index == numbers[kx] { g } else { R::zero() };
                }
            }
        }
    }
    out[oh * K * width..].fill(R::zero());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(size: [usize; 2], side: usize) -> WindowSpec {
        WindowSpec { size, kernel: [side; 2], stride: [side; 2], padding: [0; 2] }
    }

    #[test]
    fn the_first_largest_wins_and_nan_before_all() {
        let spec = spec([2, 7], 2);
        let nan = f32::NAN;
        let x = [1.0, 1.0, -3.0, -2.0, nan, 5.0, 9.0, 1.0, 1.0, -1.0, -1.0, 7.0, nan, 9.0];
        let mut at = [0.0; 3];
        argmax(2, &spec, &x, &mut at);
        assert_eq!(at, [0.0, 2.0, 0.0]);
        let mut found = [0.0; 3];
        gather(2, &spec, &x, &at, &mut found);
        assert!(found[..2] == [1.0, -1.0] && found[2].is_nan());
    }

    #[test]
    fn what_lies_outside_all_windows_gets_nothing() {
        let spec = spec([4, 5], 3);
        let mut to = [9.0f64; 20];
        scatter(3, &spec, &[2.5], &[5.0], &mut to);
        let mut expected = [0.0; 20];
        expected[7] = 2.5;
        assert_eq!(to, expected);
        // An index outside the window is nobody's.
        scatter(3, &spec, &[2.5], &[9.0], &mut to);
        assert_eq!(to, [0.0; 20]);
    }
}
