//! Whether one of two figures of the same units is higher than by chance.

use rand::RngExt;

use crate::random;

/// Sign patterns that are drawn where all of them are too many.
const DRAWS: u32 = 9_999;
/// Units up to which all sign patterns are counted.
const ALL: usize = 13;

/// One-sided p-value of "the first of each pair is higher than the second, in the mean": how often the differences, each with
/// a sign by chance, come to as much (a randomisation test, Fisher 1935). Exact up to 13 pairs; beyond, of 9,999 seeded draws
/// and the observation itself. 1 without pairs.
pub fn paired_p_value(pairs: &[(f64, f64)]) -> f64 {
    // Pairs that do not differ say nothing either way.
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).filter(|d| *d != 0.0).collect();
    let observed: f64 = differences.iter().sum();
    // Sums of the same numbers in another order differ by rounding.
    let least = observed - 1e-9 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let sum = |sign: &mut dyn FnMut(usize) -> bool| -> f64 {
        differences.iter().enumerate().map(|(i, d)| if sign(i) { *d } else { -d }).sum()
    };
    if differences.len() <= ALL {
        let all = 1_u32 << differences.len();
        let as_high = (0..all).filter(|pattern| sum(&mut |i| pattern >> i & 1 == 0) >= least).count();
        return as_high as f64 / f64::from(all);
    }
    let mut generator = random::generator(0, "signs of paired differences");
    let as_high = (0..DRAWS).filter(|_| sum(&mut |_| generator.random()) >= least).count();
    (1 + as_high) as f64 / f64::from(1 + DRAWS)
}

#[cfg(test)]
mod tests {
    use super::paired_p_value;

    fn pairs(differences: &[f64]) -> Vec<(f64, f64)> {
        differences.iter().map(|&d| (0.5 + d, 0.5)).collect()
    }

    /// scipy.stats.permutation_test((a, b), statistic, permutation_type="samples", alternative="greater")
    #[test]
    fn few_pairs_are_counted_exactly() {
        assert_eq!(paired_p_value(&pairs(&[0.25; 6])), 1.0 / 64.0);
        assert_eq!(paired_p_value(&pairs(&[0.25, 0.5, -0.125])), 2.0 / 8.0);
        assert_eq!(paired_p_value(&pairs(&[0.25, 0.0, 0.0])), 0.5);
        assert_eq!(paired_p_value(&[]), 1.0);
    }

    #[test]
    fn many_pairs_are_drawn() {
        assert!(paired_p_value(&pairs(&[0.25; 40])) < 2e-4);
        let even: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 0.25 } else { -0.25 }).collect();
        assert!((paired_p_value(&pairs(&even)) - 0.5).abs() < 0.1);
    }
}
