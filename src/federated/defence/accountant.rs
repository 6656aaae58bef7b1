//! The privacy of one step with Gaussian noise, in closed form: the analytic Gaussian mechanism (Balle and
//! Wang 2018, theorem 8). There is no amplification by sampling in it: the eavesdropper knows who took part.

/// δ of every ε that is reported.
pub const DELTA: f64 = 1e-5;

/// Φ, the standard normal distribution.
fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The smallest δ at this ε when noise has `multiplier` times the sensitivity as its deviation.
fn delta(epsilon: f64, multiplier: f64) -> f64 {
    let (a, b) = (0.5 / multiplier, epsilon * multiplier);
    normal_cdf(a - b) - (epsilon + normal_cdf(-a - b).ln()).exp()
}

/// ε of one step at [`DELTA`]: adding or removing one picture changes the sum of clipped gradients by at most
/// the clip norm, and the noise's deviation is `multiplier` times that.
pub fn epsilon(multiplier: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while delta(high, multiplier) > DELTA && high < 1e6 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if delta(middle, multiplier) > DELTA { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Balle and Wang's algorithm 1 in another implementation of Φ, by numerical integration.
    #[test]
    fn epsilon_gives_back_its_delta_and_falls_with_noise() {
        for multiplier in [0.5, 1.0, 2.0, 4.0] {
            let epsilon = epsilon(multiplier);
            assert!((delta_by_integration(epsilon, multiplier) / DELTA - 1.0).abs() < 1e-3, "{multiplier}");
        }
        assert!(epsilon(1.0) > epsilon(2.0));
        // The classical bound √(2 ln(1.25/δ))/σ is looser where it holds (ε < 1).
        let multiplier = 10.0;
        assert!(epsilon(multiplier) < (2.0 * (1.25 / DELTA).ln()).sqrt() / multiplier);
    }

    /// ∫ max(0, p(x) − e^ε q(x)) dx for p = N(1/σ, 1) and q = N(0, 1).
    fn delta_by_integration(epsilon: f64, multiplier: f64) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let steps = 400_000;
        let (from, to) = (-12.0, 24.0);
        let width = (to - from) / f64::from(steps);
        (0..steps)
            .map(|i| {
                let x = from + (f64::from(i) + 0.5) * width;
                (density(x - 1.0 / multiplier) - epsilon.exp() * density(x)).max(0.0) * width
            })
            .sum()
    }
}
