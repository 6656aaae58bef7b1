//! How right restored labels are.

use schemars::JsonSchema;
use serde::Serialize;

/// Over all K classes; the first two are inflated by absent classes where K is far above the batch size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LabelMetrics {
    /// Share of the classes whose presence is right (LeAcc).
    pub le_acc: f64,
    /// Share of the classes whose count is right (LnAcc).
    pub ln_acc: f64,
    /// Share of the batch's labels that were found: Σ min(n̂, n)/B (IRec).
    pub irec: f64,
}

impl LabelMetrics {
    /// `counts` and `truth` are `(K)`, `truth` sums to the batch size.
    pub fn new(counts: &[usize], truth: &[usize]) -> LabelMetrics {
        assert_eq!(counts.len(), truth.len(), "one count a class");
        let pairs = || counts.iter().zip(truth);
        let share = |right: usize| right as f64 / truth.len().max(1) as f64;
        let batch: usize = truth.iter().sum();
        LabelMetrics {
            le_acc: share(pairs().filter(|(a, b)| (**a > 0) == (**b > 0)).count()),
            ln_acc: share(pairs().filter(|(a, b)| a == b).count()),
            irec: pairs().map(|(a, b)| a.min(b)).sum::<usize>() as f64 / batch.max(1) as f64,
        }
    }

    /// Of lists of labels, each below `classes`.
    pub fn of(found: &[usize], truth: &[usize], classes: usize) -> LabelMetrics {
        let counts = |labels: &[usize]| {
            let mut counts = vec![0; classes];
            labels.iter().for_each(|&l| counts[l] += 1);
            counts
        };
        LabelMetrics::new(&counts(found), &counts(truth))
    }

    /// Over several batches.
    pub fn mean(batches: &[LabelMetrics]) -> LabelMetrics {
        let mean = |value: fn(&LabelMetrics) -> f64| {
            batches.iter().map(value).sum::<f64>() / batches.len().max(1) as f64
        };
        LabelMetrics { le_acc: mean(|m| m.le_acc), ln_acc: mean(|m| m.ln_acc), irec: mean(|m| m.irec) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_classes_inflate_all_but_irec() {
        let (mut truth, mut counts) = (vec![0; 10], vec![0; 10]);
        truth[3] = 1;
        truth[5] = 3;
        counts[5] = 2;
        counts[6] = 2;
        let LabelMetrics { le_acc, ln_acc, irec } = LabelMetrics::new(&counts, &truth);
        assert_eq!((le_acc, ln_acc, irec), (0.8, 0.7, 0.5));
        let all = LabelMetrics::new(&truth, &truth);
        assert_eq!((all.le_acc, all.ln_acc, all.irec), (1.0, 1.0, 1.0));
    }
}
