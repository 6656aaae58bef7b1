//! Labels from the last layer's gradient.

/// iDLG (Zhao 2020, eq. 4): with features ≥ 0 and a batch of one, only the true class has a negative
/// row in ∇W `(K, d)`. Returns argmin over classes of the row's sum.
pub fn idlg(last_weight_gradient: &[f32], classes: usize) -> usize {
    let features = last_weight_gradient.len() / classes;
    let sums =
        last_weight_gradient.chunks(features).map(|row| row.iter().map(|&g| f64::from(g)).sum::<f64>());
    sums.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(class, _)| class)
}

#[cfg(test)]
mod tests {
    #[test]
    fn idlg_finds_the_row_that_falls() {
        assert_eq!(super::idlg(&[0.1, 0.2, -0.5, -0.1, 0.4, -0.1], 3), 1);
    }
}
