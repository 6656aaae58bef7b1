//! iDLG (Zhao 2020): the class whose row of ∇W has the lowest sum.

use super::{LastLayer, Method, Restored, lowest::lowest_row};

/// iDLG (Zhao 2020, eq. 4): with features ≥ 0 and a batch of one, only the true class has a negative
/// row in ∇W `(K, d)`. Returns argmin over classes of the row's sum.
pub fn idlg(last_weight_gradient: &[f32], classes: usize) -> usize {
    let sums = row_sums(last_weight_gradient.chunks(last_weight_gradient.len() / classes));
    sums.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(class, _)| class)
}

/// For a batch above one, which the paper does not treat: the B lowest row sums, one label each.
pub(crate) fn restore(layer: &LastLayer, batch: usize) -> Restored {
    let real: Vec<f64> = row_sums(layer.rows()).collect();
    let (counts, said) = lowest_row(layer, &real, batch);
    let mut warnings: Vec<String> = said.into_iter().collect();
    if batch > 1 {
        warnings.push(format!(
            "iDLG is for a batch of 1: of this batch of {batch}, the lowest row sums were taken, one label \
             each"
        ));
    }
    Restored { method: Method::Idlg, counts, real, confidence: None, warnings }
}

fn row_sums<'a>(rows: impl Iterator<Item = &'a [f32]>) -> impl Iterator<Item = f64> {
    rows.map(|row| row.iter().map(|&g| f64::from(g)).sum())
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features},
        *,
    };

    #[test]
    fn idlg_finds_the_row_that_falls() {
        assert_eq!(idlg(&[0.1, 0.2, -0.5, -0.1, 0.4, -0.1], 3), 1);
    }

    #[test]
    fn one_label_is_always_found() {
        for label in 0..10 {
            let synthetic =
                Synthetic::new(10, 0.2, &positive_features(&[label], 32, label as u64), &[label], 1);
            let restored = restore(&synthetic.layer(), 1);
            assert_eq!(restored.counts, synthetic.counts);
            assert!(restored.warnings.is_empty());
        }
    }

    #[test]
    fn a_larger_batch_is_answered_with_a_warning() {
        let labels = [3, 8, 8];
        let synthetic = Synthetic::new(10, 0.05, &positive_features(&labels, 64, 1), &labels, 1);
        let restored = restore(&synthetic.layer(), 3);
        assert_eq!(restored.counts.iter().sum::<usize>(), 3);
        assert_eq!((restored.counts[3], restored.counts[8]), (1, 1));
        assert!(restored.warnings[0].contains("batch of 3"));
    }
}
