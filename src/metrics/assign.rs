//! One-to-one assignment, of reconstructions to references for one (Kuhn and Munkres, O(n³)).

use pathfinding::prelude::{Matrix, kuhn_munkres};

/// `assignment[i]` is the column given to row `i` such that no column is given twice and the sum of the
/// chosen weights is largest. `weights`: `(rows, columns)`, row-major, finite; `rows ≤ columns`, so that
/// every row gets one.
pub fn largest_sum(rows: usize, columns: usize, weights: &[f64]) -> Vec<usize> {
    // The algorithm waits for slacks to become exactly zero, which rounding can prevent: it runs on
    // integers, 40 bits of the largest weight, that no sum of fewer than 2²² of them overflows.
    let largest = weights.iter().fold(f64::MIN_POSITIVE, |largest, weight| weight.abs().max(largest));
    let scale = 2_f64.powi(40);
    let matrix = Matrix::from_fn(rows, columns, |(row, column)| {
        (weights[row * columns + column] / largest * scale).round() as i64
    });
    kuhn_munkres(&matrix).1
}

/// As [`largest_sum`], for the smallest sum.
pub fn smallest_sum(rows: usize, columns: usize, costs: &[f64]) -> Vec<usize> {
    let weights: Vec<f64> = costs.iter().map(|cost| -cost).collect();
    largest_sum(rows, columns, &weights)
}
