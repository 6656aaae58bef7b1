//! Bicubic resampling as a constant matrix, with Pillow's coefficients: a = −0.5, its support widened when a picture
//! shrinks, so that no pixel is passed over.

use std::ops::Range;

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
pub fn bicubic(from: usize, to: usize, rows: Range<usize>) -> Vec<f64> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = 2.0 * stretch;
    let mut matrix = vec![0.0; rows.len() * from];
    for (row, to) in matrix.chunks_mut(from).zip(rows) {
        let centre = (to as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        for (at, weight) in row.iter_mut().enumerate().take(end).skip(first) {
            *weight = cubic((at as f64 + 0.5 - centre) / stretch);
        }
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|weight| *weight /= sum);
    }
    matrix
}
