//! Taking the classes with the lowest scores, one label each.

use super::LastLayer;

/// Counts of the `batch` lowest scores. A batch above K takes every class ⌊B/K⌋ times first.
pub(crate) fn lowest(scores: &[f64], batch: usize) -> Vec<usize> {
    let classes = scores.len();
    let mut counts = vec![batch / classes; classes];
    for &class in &order(scores)[..batch % classes] {
        counts[class] += 1;
    }
    counts
}

/// As [`lowest`] of what the rows of ∇W show, for a method that knows a label by a row below 0. Where no row is, as in a
/// saturated victim's gradient, the elements of ∇b are taken in their place; what is to be said of that comes with it.
pub(crate) fn lowest_row(layer: &LastLayer, rows: &[f64], batch: usize) -> (Vec<usize>, Option<String>) {
    if rows.iter().any(|row| *row < 0.0) {
        return (lowest(rows, batch), None);
    }
    let start =
        "no row of the last layer's gradient is negative, as when a saturated victim is sure of the label: ";
    match layer.bias_gradient {
        Some(gradient) if gradient.iter().any(|b| *b < 0.0) => {
            let scores: Vec<f64> = gradient.iter().map(|&b| f64::from(b)).collect();
            (
                lowest(&scores, batch),
                Some(format!("{start}the labels are those of the lowest bias gradients")),
            )
        }
        _ => (lowest(rows, batch), Some(format!("{start}the labels mean nothing"))),
    }
}

/// Classes from the lowest score to the highest.
pub(crate) fn order(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_row_is_below_0_the_bias_tells() {
        let layer = LastLayer::new(3, &[0.0, 1e-9, 2e-9], Some(&[1e-9, -2e-9, 1e-9])).unwrap();
        let (counts, said) = lowest_row(&layer, &[0.0, 1e-9, 2e-9], 1);
        assert!(counts == [0, 1, 0] && said.unwrap().contains("lowest bias gradients"));
        let layer = LastLayer::new(3, &[0.0, 1e-9, 2e-9], None).unwrap();
        assert!(lowest_row(&layer, &[0.0, 1e-9, 2e-9], 1).1.unwrap().contains("mean nothing"));
    }

    #[test]
    fn a_batch_above_the_classes_takes_all_of_them_first() {
        assert_eq!(super::lowest(&[0.3, -1.0, 0.2], 2), [0, 1, 1]);
        assert_eq!(super::lowest(&[0.3, -1.0, 0.2], 8), [2, 3, 3]);
    }
}
