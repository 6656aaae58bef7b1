//! Estimates with their uncertainty.

use rand::RngExt;
use schemars::JsonSchema;
use serde::Serialize;

use crate::random;

const RESAMPLES: usize = 2_000;

/// Mean and median of a sample, with a 95 % bootstrap interval of the mean where there are two values or
/// more. Infinite values (a PSNR without error) become `null` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    #[schemars(with = "Option<f64>")]
    pub mean: f64,
    #[schemars(with = "Option<f64>")]
    pub median: f64,
    #[schemars(with = "Option<f64>")]
    pub lowest: f64,
    #[schemars(with = "Option<f64>")]
    pub highest: f64,
    #[schemars(with = "Option<[Option<f64>; 2]>")]
    pub interval_95: Option<[f64; 2]>,
    pub count: usize,
}

/// `mean [low, high]`
impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let text = match self.interval_95 {
            Some([low, high]) => format!("{:.3} [{low:.3}, {high:.3}]", self.mean),
            None => format!("{:.3}", self.mean),
        };
        f.pad(&text)
    }
}

impl Estimate {
    /// The resampling is seeded: the same values give the same interval. `values` must not be empty.
    pub fn of(values: &[f64]) -> Estimate {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let interval_95 = (n > 1).then(|| {
            let mut generator = random::generator(0, "bootstrap");
            let mut means: Vec<f64> = (0..RESAMPLES)
                .map(|_| (0..n).map(|_| sorted[generator.random_range(0..n)]).sum::<f64>() / n as f64)
                .collect();
            means.sort_by(f64::total_cmp);
            [means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40]]
        });
        Estimate {
            mean: mean(&sorted),
            median,
            lowest: sorted[0],
            highest: sorted[n - 1],
            interval_95,
            count: n,
        }
    }
}

/// Wilson's 95 % interval of a share (Wilson 1927): `right` of `of`.
pub fn share_interval_95(right: usize, of: usize) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    let n = of.max(1) as f64;
    let p = right as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [-half, half].map(|side| (centre + side) / (1.0 + Z * Z / n))
}

#[cfg(test)]
mod tests {
    use super::{Estimate, share_interval_95};

    #[test]
    fn the_interval_of_a_share_is_wilsons() {
        let [low, high] = share_interval_95(9, 10);
        assert!((low - 0.596).abs() < 1e-3 && (high - 0.982).abs() < 1e-3, "{low} {high}");
    }

    #[test]
    fn interval_of_a_constant_is_that_constant() {
        let e = Estimate::of(&[2.0; 5]);
        assert_eq!((e.mean, e.median, e.interval_95), (2.0, 2.0, Some([2.0, 2.0])));
    }

    #[test]
    fn interval_of_the_mean_covers_it_and_narrows_with_the_sample() {
        let width = |n: usize| {
            let e = Estimate::of(&(0..n).map(|i| (i % 2) as f64).collect::<Vec<_>>());
            let [low, high] = e.interval_95.unwrap();
            assert!(low <= e.mean && e.mean <= high);
            high - low
        };
        assert!(width(400) < width(20));
    }

    #[test]
    fn one_value_has_no_interval() {
        assert_eq!(Estimate::of(&[1.0]).interval_95, None);
    }
}
