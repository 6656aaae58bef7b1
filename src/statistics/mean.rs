//! Intervals of means.

use rand::RngExt;

use super::{estimate::FEWEST, share::fraction_interval_95};
use crate::random;

const RESAMPLES: usize = 1_999;
/// Of the sample's own spread: a resample counts as spread at least so much. Without it, one that draws nearly the same
/// value again and again has a studentised mean without bound.
const LEAST_SPREAD: f64 = 0.2;

/// The 95 % interval of the mean of independent values, a batch each: a studentised bootstrap (Efron and Tibshirani 1993,
/// section 12.5), seeded. `None` below six values, where no method covers.
///
/// Where all values are one of two, what is uncertain is how often each comes: Clopper and Pearson's interval of that
/// share. Where all agree, a value that none of them took may still come in up to `1 − 0.025^(1/n)` of all cases; how far
/// that moves the mean only `range` says, the values that are possible, and without it there is no interval.
pub fn mean_interval_95(values: &[f64], range: Option<[f64; 2]>) -> Option<[f64; 2]> {
    let n = values.len();
    if n < FEWEST || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [lowest, highest] = range.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
    if low == high {
        let [_, elsewhere] = fraction_interval_95(0.0, n as f64);
        let ends = [low - elsewhere * (low - lowest), high + elsewhere * (highest - high)];
        return ends.iter().all(|end| end.is_finite()).then_some(ends);
    }
    if values.iter().all(|&v| v == low || v == high) {
        let above = values.iter().filter(|&&v| v == high).count();
        return Some(fraction_interval_95(above as f64, n as f64).map(|share| low + share * (high - low)));
    }
    let [below, above] = studentised(values);
    Some([below.max(lowest), above.min(highest)])
}

fn studentised(values: &[f64]) -> [f64; 2] {
    let n = values.len();
    let (mean, spread) = moments(values.iter().copied(), n);
    let mut generator = random::generator(0, "bootstrap");
    let mut resample = vec![0.0; n];
    let mut studentised: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            resample.iter_mut().for_each(|v| *v = values[generator.random_range(0..n)]);
            let (again, its_spread) = moments(resample.iter().copied(), n);
            (again - mean) / its_spread.max(LEAST_SPREAD * spread)
        })
        .collect();
    studentised.sort_by(f64::total_cmp);
    let tail = (RESAMPLES + 1) / 40;
    [mean - spread * studentised[RESAMPLES - tail], mean - spread * studentised[tail - 1]]
}

/// Mean and standard deviation of the sample.
fn moments(values: impl Iterator<Item = f64> + Clone, n: usize) -> (f64, f64) {
    let mean = values.clone().sum::<f64>() / n as f64;
    let squares: f64 = values.map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_leaves_room_for_what_was_not_seen() {
        assert_eq!(mean_interval_95(&[0.4; 20], None), None);
        let [low, high] = mean_interval_95(&[0.4; 20], Some([0.0, 1.0])).unwrap();
        assert!(low < 0.35 && 0.45 < high && 0.0 < low && high < 1.0, "{low} {high}");
    }

    #[test]
    fn few_values_and_infinite_ones_have_no_interval() {
        assert_eq!(mean_interval_95(&[1.0, 2.0, 3.0, 4.0, 5.0], None), None);
        assert_eq!(mean_interval_95(&[1.0, 2.0, 3.0, 4.0, 5.0, f64::INFINITY], None), None);
    }

    #[test]
    fn nearly_two_values_do_not_make_it_endless() {
        let near = [0.0, 1e-9, 2e-9, 0.0, 1e-9, 1.0, 1.0, 1.0];
        let [low, high] = mean_interval_95(&near, None).unwrap();
        assert!(-1.0 < low && high < 2.0, "{low} {high}");
    }
}
