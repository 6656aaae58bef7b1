//! The learning rate of every step: one cycle (Smith 2018), a linear rise to the peak and half a cosine down
//! to 0.

use std::f64::consts::PI;

/// Share of the steps in which the rate rises.
const WARM_UP: f64 = 0.2;

/// The rate of step `step` of `steps`, counted from 0.
pub fn one_cycle(peak: f64, step: usize, steps: usize) -> f64 {
    let warm = (steps as f64 * WARM_UP).floor();
    let step = step as f64;
    if step < warm {
        return peak * (step + 1.0) / (warm + 1.0);
    }
    peak * 0.5 * (1.0 + (PI * (step - warm) / (steps as f64 - warm)).cos())
}

#[cfg(test)]
mod tests {
    use super::one_cycle;

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_towards_0() {
        let rates: Vec<f64> = (0..100).map(|i| one_cycle(0.4, i, 100)).collect();
        assert!(rates[..21].is_sorted() && rates[20..].is_sorted_by(|a, b| a >= b), "{rates:?}");
        assert_eq!(rates[20], 0.4);
        assert!(rates[0] > 0.0 && rates[99] > 0.0 && rates[99] < 1e-3);
        assert_eq!(one_cycle(0.4, 0, 1), 0.4);
    }
}
