//! Taking the classes with the lowest scores, one label each.

/// Counts of the `batch` lowest scores. A batch above K takes every class ⌊B/K⌋ times first.
pub fn lowest(scores: &[f64], batch: usize) -> Vec<usize> {
    let classes = scores.len();
    let mut counts = vec![batch / classes; classes];
    for &class in &order(scores)[..batch % classes] {
        counts[class] += 1;
    }
    counts
}

/// Classes from the lowest score to the highest.
pub fn order(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    order
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_batch_above_the_classes_takes_all_of_them_first() {
        assert_eq!(super::lowest(&[0.3, -1.0, 0.2], 2), [0, 1, 1]);
        assert_eq!(super::lowest(&[0.3, -1.0, 0.2], 8), [2, 3, 3]);
    }
}
