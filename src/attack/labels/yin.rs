//! Yin (2021): the classes whose rows of ∇W have the lowest minima.

use super::{LastLayer, Method, Restored, lowest::lowest_row};

/// The paper sorts min_j ∇W_cj and takes the first B: it assumes that no label occurs twice.
pub(crate) fn restore(layer: &LastLayer, batch: usize) -> Restored {
    let minimum = |row: &[f32]| row.iter().fold(f64::INFINITY, |a, &b| a.min(f64::from(b)));
    let real: Vec<f64> = layer.rows().map(minimum).collect();
    let (counts, said) = lowest_row(layer, &real, batch);
    let negative = real.iter().filter(|r| **r < 0.0).count();
    let mut warnings: Vec<String> = said.into_iter().collect();
    if negative < batch && negative > 0 {
        warnings.push(format!(
            "yin assumes that no label occurs twice, and only {negative} classes have a row with a negative \
             element: this batch of {batch} has equal labels, which yin does not see"
        ));
    }
    Restored { method: Method::Yin, counts, real, confidence: None, warnings }
}

#[cfg(test)]
mod tests {
    use super::{
        super::synthetic::{Synthetic, positive_features},
        *,
    };

    #[test]
    fn distinct_labels_are_found() {
        let labels = [0, 17, 42, 99];
        let synthetic = Synthetic::new(100, 0.05, &positive_features(&labels, 64, 3), &labels, 2);
        let restored = restore(&synthetic.layer(), 4);
        assert_eq!(restored.counts, synthetic.counts);
        assert!(restored.warnings.is_empty());
    }

    #[test]
    fn equal_labels_are_outside_its_assumption() {
        let labels = [17, 17, 42, 42];
        let synthetic = Synthetic::new(100, 0.05, &positive_features(&labels, 64, 3), &labels, 2);
        let restored = restore(&synthetic.layer(), 4);
        assert_eq!(restored.counts.iter().max(), Some(&1));
        assert!(restored.warnings[0].contains("equal labels"));
    }
}
