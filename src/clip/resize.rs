//! Resampling as a constant matrix, with Pillow's coefficients: the support is widened when a picture shrinks, so
//! that no pixel is passed over.

use std::ops::Range;

/// The kernel of a resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Triangles, of support 1.
    Bilinear,
    /// Keys' cubic with a = −0.5, of support 2.
    Bicubic,
}

impl Interpolation {
    /// Pixels on either side that count, at no change of size.
    fn support(self) -> f64 {
        match self {
            Interpolation::Bilinear => 1.0,
            Interpolation::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Interpolation::Bilinear => (1.0 - x.abs()).max(0.0),
            Interpolation::Bicubic => cubic(x),
        }
    }
}

/// Keys' cubic (1981) with a = −0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Rows `rows` of the matrix `(to, from)` that resizes an axis, row-major `(rows.len(), from)`. Each row sums to 1.
pub fn matrix(kernel: Interpolation, from: usize, to: usize, rows: Range<usize>) -> Vec<f64> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = kernel.support() * stretch;
    let mut matrix = vec![0.0; rows.len() * from];
    for (row, to) in matrix.chunks_mut(from).zip(rows) {
        let centre = (to as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        for (at, weight) in row.iter_mut().enumerate().take(end).skip(first) {
            *weight = kernel.weight((at as f64 + 0.5 - centre) / stretch);
        }
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|weight| *weight /= sum);
    }
    matrix
}
