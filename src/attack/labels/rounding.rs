//! From real numbers to counts that sum to the batch size.

/// The largest-remainder method: negatives count as 0, every value is rounded down, and the samples that
/// are missing go one each to the largest remainders (those too many come off the smallest).
///
/// `values` should sum to about `total`. If they are off by more than half of it they are no counts, and
/// only their proportions are used.
pub fn largest_remainder(values: &[f64], total: usize) -> Vec<usize> {
    let quotas: Vec<f64> = values.iter().map(|v| v.max(0.0)).collect();
    let sum: f64 = quotas.iter().sum();
    if (sum - total as f64).abs() > total as f64 / 2.0 {
        return apportion(&quotas, total);
    }
    settle(&quotas, total)
}

/// `total` in proportion to `weights`, by largest remainder; in equal parts where no weight is above 0.
pub fn apportion(weights: &[f64], total: usize) -> Vec<usize> {
    // By the largest first: the sum of huge weights could overflow.
    let largest = weights.iter().fold(0.0, |a: f64, &b| a.max(b));
    let parts = |w: &f64| if largest > 0.0 { w.max(0.0) / largest } else { 1.0 };
    let sum: f64 = weights.iter().map(parts).sum();
    let quotas: Vec<f64> = weights.iter().map(|w| parts(w) / sum * total as f64).collect();
    settle(&quotas, total)
}

/// Rounds quotas ≥ 0 so that they sum to `total`.
fn settle(quotas: &[f64], total: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = quotas.iter().map(|q| q.floor() as usize).collect();
    if counts.is_empty() {
        return counts;
    }
    let mut order: Vec<usize> = (0..quotas.len()).collect();
    // A stable sort: of equal remainders the lower class goes first.
    order.sort_by(|&a, &b| quotas[b].fract().total_cmp(&quotas[a].fract()));
    let given: usize = counts.iter().sum();
    for &class in order.iter().cycle().take(total.saturating_sub(given)) {
        counts[class] += 1;
    }
    let mut surplus = given.saturating_sub(total);
    while surplus > 0 {
        for &class in order.iter().rev() {
            if surplus > 0 && counts[class] > 0 {
                counts[class] -= 1;
                surplus -= 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_remainders_are_rounded_up() {
        assert_eq!(largest_remainder(&[1.6, 0.7, 0.7], 3), [1, 1, 1]);
        assert_eq!(largest_remainder(&[2.02, -0.3, 0.97, 0.2], 3), [2, 0, 1, 0]);
        assert_eq!(largest_remainder(&[0.5, 0.5, 0.0], 1), [1, 0, 0]);
    }

    #[test]
    fn a_sum_above_the_total_comes_off_the_smallest_remainders() {
        assert_eq!(largest_remainder(&[2.1, 1.3, 1.0], 3), [2, 1, 0]);
        assert_eq!(largest_remainder(&[1.0, 1.0, 1.0, 1.0], 3).iter().sum::<usize>(), 3);
    }

    #[test]
    fn small_noise_on_many_absent_classes_moves_nothing() {
        let mut values: Vec<f64> = (0..1000).map(|i| if i % 2 == 0 { 0.02 } else { -0.02 }).collect();
        values[7] = 19.9;
        values[8] = 4.05;
        let counts = largest_remainder(&values, 24);
        assert_eq!((counts[7], counts[8]), (20, 4));
    }

    #[test]
    fn every_input_sums_to_the_total() {
        let huge = [f64::MAX, f64::MAX, 1.0];
        for values in [&[0.0, 0.0, 0.0][..], &[-1.0, -2.0], &[1e300, 3.0], &huge, &[0.1; 7], &[3.4]] {
            for total in [1, 2, 5, 1000] {
                assert_eq!(largest_remainder(values, total).iter().sum::<usize>(), total, "{values:?}");
                assert_eq!(apportion(values, total).iter().sum::<usize>(), total, "{values:?}");
            }
        }
        assert_eq!(apportion(&huge, 1000), [500, 500, 0]);
        assert_eq!(apportion(&[0.0, 0.0], 4), [2, 2]);
    }
}
