//! The privacy of many steps with Gaussian noise, each on pictures sampled at random: Rényi differential privacy of the
//! sampled Gaussian mechanism (Mironov, Talwar and Zhang 2019), as Opacus counts it.

use std::f64::consts::{LN_2, PI, SQRT_2};

/// ε at this δ over so many steps with noise of `multiplier` times the clip norm, each picture taking part in a step with
/// probability `rate` in [0, 1]: the least over the orders that Opacus tries (1.1 to 10.9, 12 to 63), turned from Rényi
/// privacy by Canonne, Kamath and Steinke 2020.
///
/// `None` where that cannot be: no noise, a rate outside of [0, 1], δ outside of (0, 1).
pub fn epsilon_of_steps(multiplier: f64, rate: f64, steps: usize, delta: f64) -> Option<f64> {
    if !(multiplier > 0.0 && (0.0..=1.0).contains(&rate) && delta > 0.0 && delta < 1.0) {
        return None;
    }
    let orders = (1..100).map(|x| 1.0 + f64::from(x) / 10.0).chain((12..64).map(f64::from));
    let epsilon = |order: f64| {
        let rdp = steps as f64 * of_step(multiplier, rate, order);
        rdp - (delta.ln() + order.ln()) / (order - 1.0) + ((order - 1.0) / order).ln()
    };
    Some(orders.map(epsilon).filter(|e| e.is_finite()).fold(f64::INFINITY, f64::min).max(0.0))
}

/// Rényi divergence of this order of one step.
fn of_step(multiplier: f64, rate: f64, order: f64) -> f64 {
    match rate {
        0.0 => 0.0,
        1.0 => order / (2.0 * multiplier * multiplier),
        _ if order.fract() == 0.0 => whole(multiplier, rate, order as u32) / (order - 1.0),
        _ => fractional(multiplier, rate, order) / (order - 1.0),
    }
}

/// ln A of a whole order: a binomial sum (section 3.3).
fn whole(sigma: f64, q: f64, order: u32) -> f64 {
    let (alpha, mut ln_binomial) = (f64::from(order), 0.0);
    let mut terms = vec![];
    for k in 0..=order {
        let i = f64::from(k);
        terms.push(
            ln_binomial + i * q.ln() + (alpha - i) * (-q).ln_1p() + (i * i - i) / (2.0 * sigma * sigma),
        );
        ln_binomial += ((alpha - i) / (i + 1.0)).ln();
    }
    ln_sum(&terms.iter().map(|&t| (1.0, t)).collect::<Vec<_>>())
}

/// ln A of any order: two series of erfc.
fn fractional(sigma: f64, q: f64, alpha: f64) -> f64 {
    let z = sigma * sigma * (1.0 / q - 1.0).ln() + 0.5;
    let (mut terms, mut coefficient, mut i) = (vec![], 1.0_f64, 0.0);
    loop {
        let j = alpha - i;
        let ln = coefficient.abs().ln();
        let gain = |x: f64| (x * x - x) / (2.0 * sigma * sigma);
        let below = ln + i * q.ln() + j * (-q).ln_1p() + gain(i) - LN_2 + ln_erfc((i - z) / (SQRT_2 * sigma));
        let above = ln + j * q.ln() + i * (-q).ln_1p() + gain(j) - LN_2 + ln_erfc((z - j) / (SQRT_2 * sigma));
        terms.extend([(coefficient.signum(), below), (coefficient.signum(), above)]);
        coefficient *= (alpha - i) / (i + 1.0);
        i += 1.0;
        if below.max(above) < -30.0 || i > 10_000.0 {
            return ln_sum(&terms);
        }
    }
}

fn ln_erfc(x: f64) -> f64 {
    match libm::erfc(x) {
        value if value > 1e-290 => value.ln(),
        // The asymptotic series, where the value itself is too small for a number.
        _ => -x * x - (x * PI.sqrt()).ln() + (-0.5 / (x * x) + 0.75 / x.powi(4)).ln_1p(),
    }
}

/// ln Σ sign·e^term
fn ln_sum(terms: &[(f64, f64)]) -> f64 {
    let largest = terms.iter().map(|t| t.1).fold(f64::NEG_INFINITY, f64::max);
    largest + terms.iter().map(|(sign, term)| sign * (term - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_opacus() {
        let text = include_str!("../../../tests/fixtures/rdp/opacus.csv");
        let rows: Vec<Vec<f64>> =
            text.lines().skip(1).map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
        assert!(rows.len() >= 5);
        for row in rows {
            let [multiplier, rate, steps, delta, expected] = row[..] else { panic!("{row:?}") };
            let found = epsilon_of_steps(multiplier, rate, steps as usize, delta).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-3, "{row:?}: {found}");
        }
    }

    #[test]
    fn more_steps_and_more_sampling_cost_more() {
        let epsilon = |rate, steps| epsilon_of_steps(1.0, rate, steps, 1e-5).unwrap();
        assert!(epsilon(0.01, 100) < epsilon(0.01, 1_000) && epsilon(0.01, 100) < epsilon(0.1, 100));
        assert_eq!(epsilon_of_steps(0.0, 0.1, 1, 1e-5), None);
        assert_eq!(epsilon_of_steps(1.0, 1.5, 1, 1e-5), None);
    }
}
