//! Whether values are larger than those that they are paired with.

use rand::RngExt;

use crate::random;

/// Signs of so many differences are all tried.
const EXACT: usize = 14;
const DRAWS: usize = 20_000;

/// One-sided p-value of "the mean difference is above 0": the share of all ways to give the differences signs whose sum
/// is as large (Fisher's randomisation test). Exact up to 14 differences, beyond from 20,000 seeded draws. 1 without a
/// difference.
pub fn paired_p_value(differences: &[f64]) -> f64 {
    let observed: f64 = differences.iter().sum();
    // What rounding does to sums of the same numbers in another order.
    let size: f64 = differences.iter().map(|d| d.abs()).sum();
    let reached = |sum: f64| sum >= observed - 1e-12 * size;
    if differences.len() <= EXACT {
        let ways = 1_usize << differences.len();
        let sum = |signs: usize| -> f64 {
            let signed = |(i, &d): (usize, &f64)| if signs >> i & 1 == 1 { -d } else { d };
            differences.iter().enumerate().map(signed).sum()
        };
        return (0..ways).filter(|&signs| reached(sum(signs))).count() as f64 / ways as f64;
    }
    let mut generator = random::generator(0, "signs of differences");
    let mut sum = || -> f64 { differences.iter().map(|&d| if generator.random() { d } else { -d }).sum() };
    let as_large = (0..DRAWS).filter(|_| reached(sum())).count();
    (as_large + 1) as f64 / (DRAWS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::paired_p_value;

    #[test]
    fn it_counts_the_signs_that_reach_the_sum() {
        assert_eq!(paired_p_value(&[1.0; 6]), 1.0 / 64.0);
        assert_eq!(paired_p_value(&[0.0; 6]), 1.0);
        assert_eq!(paired_p_value(&[]), 1.0);
        // Sums of ±1 ±2 ±3 that reach 4: 6 and 4.
        assert_eq!(paired_p_value(&[-1.0, 2.0, 3.0]), 2.0 / 8.0);
        let many: Vec<f64> = (0..40).map(|i| f64::from(i % 3) - 0.5).collect();
        assert!(paired_p_value(&many) < 0.01);
        let back: Vec<f64> = many.iter().map(|d| -d).collect();
        assert!(paired_p_value(&back) > 0.99);
        assert_eq!(paired_p_value(&many), paired_p_value(&many));
    }
}
