//! Adam's step sizes, worked out before the attack: the device looks them up by its step counter.

use super::config::Schedule;

pub(crate) const BETA_1: f64 = 0.9;
pub(crate) const BETA_2: f64 = 0.999;
/// Shares of the iterations in which [`Schedule::Ramp`] rises and falls.
const RISING: f64 = 0.05;
const FALLING: f64 = 0.75;

/// The learning rate of iteration `i` of `iterations`.
pub(crate) fn rate(schedule: Schedule, warm_up: usize, full: f64, i: usize, iterations: usize) -> f64 {
    let warm = if i < warm_up { (i + 1) as f64 / (warm_up + 1) as f64 } else { 1.0 };
    let falling = match schedule {
        Schedule::Constant => 1.0,
        Schedule::Steps => {
            let passed = [3, 5, 7].iter().filter(|&&eighths| i * 8 >= eighths * iterations).count();
            0.1f64.powi(passed as i32)
        }
        Schedule::Ramp => {
            let done = i as f64 / iterations.max(1) as f64;
            let rising = (done / RISING).min(1.0);
            let falling = ((1.0 - done) / FALLING).min(1.0);
            rising * 0.5 * (1.0 - (std::f64::consts::PI * falling).cos())
        }
        Schedule::Cosine => {
            let left = iterations.saturating_sub(warm_up).max(1);
            let done = i.saturating_sub(warm_up) as f64 / left as f64;
            0.5 * (1.0 + (std::f64::consts::PI * done).cos())
        }
    };
    full * warm * falling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_from_the_full_rate_after_the_warm_up_towards_0() {
        let at = |i| rate(Schedule::Cosine, 10, 2.0, i, 110);
        assert!(at(0) < at(5) && at(5) < at(10));
        assert_eq!(at(10), 2.0);
        assert!((at(60) - 1.0).abs() < 1e-12);
        assert!(at(109) > 0.0 && at(109) < 0.01);
    }

    #[test]
    fn a_ramp_rises_stays_and_falls() {
        let at = |i| rate(Schedule::Ramp, 0, 2.0, i, 1_000);
        assert_eq!([at(0), at(25), at(50), at(250)], [0.0, 1.0, 2.0, 2.0]);
        assert!((at(625) - 1.0).abs() < 1e-12 && at(999) < 1e-5);
    }

    #[test]
    fn steps_fall_by_ten_three_times() {
        let at = |i| rate(Schedule::Steps, 0, 1.0, i, 800);
        assert_eq!([at(0), at(299), at(300)], [1.0, 1.0, 0.1]);
        assert!((at(799) - 1e-3).abs() < 1e-15);
    }
}
