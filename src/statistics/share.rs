//! Intervals of shares.

use statrs::distribution::{Beta, ContinuousCDF};

/// Of both sides together.
const ALPHA: f64 = 0.05;

/// The 95 % interval of a share (Clopper and Pearson 1934), `right` of `of`: never narrower than it must be to cover,
/// [0, 1] of nothing.
pub fn share_interval_95(right: usize, of: usize) -> [f64; 2] {
    fraction_interval_95(right as f64, of as f64)
}

/// The same where units are right in part, as batches are of which some pictures are named right: `right` is a sum of
/// `of` values in [0, 1]. A value in between varies less than one that is 0 or 1 with the same mean, so the interval is
/// the wider for it.
pub fn fraction_interval_95(right: f64, of: f64) -> [f64; 2] {
    let right = right.clamp(0.0, of.max(0.0));
    let quantile = |a: f64, b: f64, at: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(at));
    let low = quantile(right, of - right + 1.0, ALPHA / 2.0).unwrap_or(0.0);
    let high = quantile(right + 1.0, of - right, 1.0 - ALPHA / 2.0).unwrap_or(1.0);
    [low, high]
}

/// One-sided p-value of "the share is above `chance`": that a binomial of `of` units comes to `right` or more, units that
/// are right in part as in [`fraction_interval_95`].
pub fn fraction_p_value(right: f64, of: f64, chance: f64) -> f64 {
    if right <= 0.0 || chance >= 1.0 {
        return 1.0;
    }
    Beta::new(right, of - right + 1.0).map_or(1.0, |beta| beta.cdf(chance.max(0.0)))
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{Binomial, Discrete};

    use super::*;

    #[test]
    fn the_interval_of_a_share_is_clopper_and_pearsons() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="exact")
        for (right, of, expected) in [
            (0, 6, [0.0, 0.459_258_1]),
            (2, 2, [0.158_113_9, 1.0]),
            (9, 10, [0.554_983_9, 0.997_471_4]),
            (5, 8, [0.244_863_2, 0.914_765_8]),
            (0, 0, [0.0, 1.0]),
        ] {
            let found = share_interval_95(right, of);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{right} {of} {found:?}");
        }
    }

    #[test]
    fn it_covers_every_share() {
        for n in 6..=50 {
            let intervals: Vec<[f64; 2]> = (0..=n).map(|k| share_interval_95(k, n)).collect();
            for p in (0..=100).map(|i| f64::from(i) / 100.0) {
                let binomial = Binomial::new(p, n as u64).unwrap();
                let holds = |&(_, i): &(usize, &[f64; 2])| i[0] <= p && p <= i[1];
                let covered = intervals.iter().enumerate().filter(holds);
                let coverage: f64 = covered.map(|(k, _)| binomial.pmf(k as u64)).sum();
                assert!(coverage >= 0.95 - 1e-9, "{n} {p}: {coverage}");
            }
        }
    }

    #[test]
    fn the_p_value_is_the_binomial_tail() {
        // scipy.stats.binomtest(k, n, p, alternative="greater").pvalue
        for (right, of, chance, expected) in
            [(3.0, 10.0, 0.1, 0.070_190_8), (10.0, 10.0, 0.1, 1e-10), (0.0, 5.0, 0.2, 1.0)]
        {
            let found = fraction_p_value(right, of, chance);
            assert!((found - expected).abs() < 1e-6 * expected.max(1e-9) + 1e-9, "{right} {of} {found}");
        }
    }

    #[test]
    fn parts_lie_between_wholes() {
        let [below, part, above] = [2.0, 2.5, 3.0].map(|right| fraction_interval_95(right, 7.0));
        assert!((0..2).all(|end| below[end] < part[end] && part[end] < above[end]));
    }
}
