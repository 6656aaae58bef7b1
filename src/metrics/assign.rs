//! One-to-one assignment of reconstructions to references (Kuhn and Munkres, O(B³)).

use pathfinding::prelude::{Matrix, kuhn_munkres};

/// `assignment[i]` is the column given to row `i` such that no column is given twice and the sum of the
/// chosen weights is largest. `weights`: `(count, count)`, row-major, finite.
pub fn largest_sum(count: usize, weights: &[f64]) -> Vec<usize> {
    // The algorithm waits for slacks to become exactly zero, which rounding can prevent: it runs on
    // integers, 40 bits of the largest weight, that no sum of fewer than 2²² of them overflows.
    let largest = weights.iter().fold(f64::MIN_POSITIVE, |largest, weight| weight.abs().max(largest));
    let scale = 2_f64.powi(40);
    let matrix = Matrix::from_fn(count, count, |(row, column)| {
        (weights[row * count + column] / largest * scale).round() as i64
    });
    kuhn_munkres(&matrix).1
}

/// As [`largest_sum`], for the smallest sum.
pub fn smallest_sum(count: usize, costs: &[f64]) -> Vec<usize> {
    let weights: Vec<f64> = costs.iter().map(|cost| -cost).collect();
    largest_sum(count, &weights)
}
