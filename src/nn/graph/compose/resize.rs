//! Pictures of other sizes: along each axis a product with a matrix that says how much of each pixel a new one is.

use crate::nn::graph::{
    assemble::{Assembly, bounded},
    op::{Constant, Op},
};

/// Between which pixels a new one lies, and how it weighs them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kernel {
    /// The one at or before it
    Floor,
    /// The nearest one, the later of two (`up`) or the earlier
    Nearest { up: bool },
    /// The two around it
    Linear,
    /// The four around it, by Keys' cubic of this parameter
    Cubic(f64),
}

/// Where a new pixel lies among the old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    /// Corners on corners
    Corners,
    /// Middles of pixels: (i + ½)·scale − ½
    Middles,
    /// i·scale
    Starts,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Resize {
    pub kernel: Kernel,
    pub places: Places,
    /// Where a picture gets smaller the kernel grows with it.
    pub antialias: bool,
}

/// How much of each of `from` pixels each of `to` new ones is, `(to, from)`; `scale` is old pixels a new one.
fn weights(resize: Resize, from: usize, to: usize, scale: f64) -> Vec<f64> {
    let mut matrix = vec![0.0; from * to];
    for (i, row) in matrix.chunks_mut(from).enumerate() {
        if resize.antialias {
            smoothed(resize.kernel, i, scale, row);
            continue;
        }
        let at = match resize.places {
            Places::Corners if to > 1 => i as f64 * (from - 1) as f64 / (to - 1) as f64,
            Places::Corners => 0.0,
            Places::Middles => (i as f64 + 0.5) * scale - 0.5,
            Places::Starts => i as f64 * scale,
        };
        let mut add = |place: i64, weight: f64| row[place.clamp(0, from as i64 - 1) as usize] += weight;
        match resize.kernel {
            Kernel::Floor => add(at.floor() as i64, 1.0),
            Kernel::Nearest { up: true } => add((at + 0.5).floor() as i64, 1.0),
            Kernel::Nearest { up: false } => add((at - 0.5).ceil() as i64, 1.0),
            Kernel::Linear => {
                let at = at.max(0.0);
                let low = at.floor();
                add(low as i64, 1.0 - (at - low));
                add(low as i64 + 1, at - low);
            }
            Kernel::Cubic(a) => {
                let low = at.floor();
                (-1..3).for_each(|k| add(low as i64 + k, cubic(at - low - k as f64, a)));
            }
        }
    }
    matrix
}

/// One row of weights of a kernel as wide as a new pixel, which sum to 1.
fn smoothed(kernel: Kernel, i: usize, scale: f64, row: &mut [f64]) {
    let (reach, weight): (f64, fn(f64) -> f64) = match kernel {
        Kernel::Cubic(_) => (2.0, |t| cubic(t, -0.5)),
        _ => (1.0, |t| (1.0 - t.abs()).max(0.0)),
    };
    let wide = scale.max(1.0);
    let (support, centre) = (reach * wide, scale * (i as f64 + 0.5));
    let first = ((centre - support + 0.5) as i64).max(0) as usize;
    let end = ((centre + support + 0.5) as i64).clamp(first as i64, row.len() as i64) as usize;
    for (j, share) in row.iter_mut().enumerate().take(end).skip(first) {
        *share = weight((j as f64 - centre + 0.5) / wide);
    }
    let total: f64 = row.iter().sum();
    row.iter_mut().for_each(|share| *share /= if total == 0.0 { 1.0 } else { total });
}

/// Keys' cubic convolution.
fn cubic(t: f64, a: f64) -> f64 {
    let t = t.abs();
    if t <= 1.0 {
        ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
    } else if t < 2.0 {
        ((t - 5.0) * t + 8.0) * t * a - 4.0 * a
    } else {
        0.0
    }
}

impl Assembly {
    /// One axis of a tensor in another size.
    pub(crate) fn resize(
        &mut self,
        x: usize,
        axis: usize,
        to: usize,
        scale: Option<f64>,
        resize: Resize,
    ) -> Result<usize, String> {
        let from = self.size(x, axis)?;
        if to == 0 {
            return Err("a picture without pixels".into());
        }
        bounded(to.saturating_mul(from))?;
        let scale = scale.filter(|s| s.is_finite() && *s > 0.0).map_or(from as f64 / to as f64, |s| 1.0 / s);
        let data = weights(resize, from, to, scale);
        // What only repeats and leaves out is no product.
        if data.iter().all(|&v| v == 0.0 || v == 1.0) {
            let place = |row: &[f64]| row.iter().position(|&v| v == 1.0).unwrap_or(0);
            let positions: Vec<usize> = data.chunks(from).map(place).collect();
            return match positions.iter().copied().eq(0..from) {
                true => Ok(x),
                false => self.push(Op::Take { axis, positions: positions.into() }, &[x]),
            };
        }
        let matrix = self.constant(Constant { shape: vec![to, from], data: data.into() })?;
        self.along(x, axis, matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(kernel: Kernel, places: Places, antialias: bool, from: usize, to: usize) -> Vec<f64> {
        weights(Resize { kernel, places, antialias }, from, to, from as f64 / to as f64)
    }

    #[test]
    fn weights_of_small_sizes_are_as_on_paper() {
        let twice = rows(Kernel::Linear, Places::Middles, false, 2, 4);
        assert_eq!(twice, [1.0, 0.0, 0.75, 0.25, 0.25, 0.75, 0.0, 1.0]);
        let corners = rows(Kernel::Linear, Places::Corners, false, 2, 3);
        assert_eq!(corners, [1.0, 0.0, 0.5, 0.5, 0.0, 1.0]);
        let half = rows(Kernel::Linear, Places::Middles, true, 4, 2);
        let expected = [3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0, 0.0, 0.0, 1.0 / 7.0, 3.0 / 7.0, 3.0 / 7.0];
        assert!(half.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{half:?}");
        assert_eq!(
            rows(Kernel::Floor, Places::Starts, false, 2, 4),
            [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]
        );
    }

    #[test]
    fn every_row_sums_to_one() {
        for kernel in [Kernel::Floor, Kernel::Nearest { up: true }, Kernel::Linear, Kernel::Cubic(-0.75)] {
            for places in [Places::Corners, Places::Middles, Places::Starts] {
                for (antialias, from, to) in
                    [(false, 5, 7), (false, 7, 3), (true, 9, 4), (true, 3, 8), (false, 1, 4)]
                {
                    for row in rows(kernel, places, antialias, from, to).chunks(from) {
                        assert!(
                            (row.iter().sum::<f64>() - 1.0).abs() < 1e-12,
                            "{kernel:?} {places:?} {row:?}"
                        );
                    }
                }
            }
        }
    }
}
