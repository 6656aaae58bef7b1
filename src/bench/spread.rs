//! Times of repeated calls.

use std::time::Instant;

/// Samples that a measurement aims at, and the fewest that have a median and quartiles.
const SAMPLES: usize = 15;
const FEWEST: usize = 5;

/// Seconds of one iteration, over samples of several iterations each.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// Of all samples.
    pub median: f64,
    /// A quarter of the samples are below.
    pub lower_quartile: f64,
    /// A quarter of the samples are above.
    pub upper_quartile: f64,
    /// Of all samples.
    pub lowest: f64,
    /// Of all samples.
    pub highest: f64,
    /// How many there are.
    pub samples: usize,
    /// Iterations of each sample.
    pub iterations: usize,
}

impl Spread {
    /// Of at least one sample.
    pub fn of(mut seconds: Vec<f64>, iterations: usize) -> Spread {
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let position = share * (seconds.len() - 1) as f64;
            let (below, rest) = (position as usize, position.fract());
            seconds[below] + rest * (seconds[(below + 1).min(seconds.len() - 1)] - seconds[below])
        };
        Spread {
            median: at(0.5),
            lower_quartile: at(0.25),
            upper_quartile: at(0.75),
            lowest: at(0.0),
            highest: at(1.0),
            samples: seconds.len(),
            iterations,
        }
    }
}

/// How many iterations take `goal` seconds or so, and what they took. The first iteration is not counted.
pub(crate) fn fitting<E>(
    goal: f64,
    mut time: impl FnMut(usize) -> Result<f64, E>,
) -> Result<(usize, f64), E> {
    time(1)?;
    let (mut iterations, mut spent) = (1, time(1)?);
    // The clock and the return to the host must not be part of what is measured.
    while spent < goal / 2.0 {
        let fitting = (goal / (spent / iterations as f64).max(1e-9)) as usize;
        iterations = fitting.clamp(iterations + 1, 10 * iterations);
        spent = time(iterations)?;
    }
    Ok((iterations, spent))
}

/// Measures `run(n)`, which runs `n` iterations and returns when they are done, for about `seconds` (longer where
/// five iterations take longer). The first iteration is not counted.
pub fn sample<E>(seconds: f64, mut run: impl FnMut(usize) -> Result<(), E>) -> Result<Spread, E> {
    let mut time = |iterations: usize| -> Result<f64, E> {
        let started = Instant::now();
        run(iterations)?;
        Ok(started.elapsed().as_secs_f64())
    };
    let (iterations, _) = fitting(seconds / SAMPLES as f64, &mut time)?;
    let started = Instant::now();
    let mut samples = vec![];
    while samples.len() < FEWEST || started.elapsed().as_secs_f64() < seconds {
        samples.push(time(iterations)? / iterations as f64);
    }
    Ok(Spread::of(samples, iterations))
}

/// 95 % interval of the median by order statistics (the sign test's): as many values on either side lie outside as
/// chance allows. Of fewer than six values it is all of them, and less certain.
pub(crate) fn median_interval_95(values: &[f64]) -> [f64; 2] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    // Of a binomial with n throws of a coin, the chance of `outside` heads and of fewer.
    let (mut outside, mut chance, mut below) = (0, 0.5f64.powi(n as i32), 0.0);
    while below + chance <= 0.025 {
        below += chance;
        chance *= (n - outside) as f64 / (outside + 1) as f64;
        outside += 1;
    }
    let cut = outside.saturating_sub(1);
    [sorted[cut], sorted[n - 1 - cut]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_samples() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0], 7);
        assert_eq!([spread.lowest, spread.highest, spread.median], [1.0, 4.0, 2.5]);
        assert_eq!([spread.lower_quartile, spread.upper_quartile], [1.75, 3.25]);
        assert_eq!((spread.samples, spread.iterations), (4, 7));
    }

    #[test]
    fn every_sample_runs_as_many_iterations_and_an_error_ends_the_measurement() {
        let mut calls = vec![];
        let spread = sample(0.0, |n| -> Result<(), ()> {
            calls.push(n);
            Ok(())
        });
        // The first is warm-up, the second finds the number of iterations.
        assert_eq!(calls, [1; 2 + FEWEST]);
        assert_eq!(spread.unwrap().samples, FEWEST);
        assert_eq!(sample(1.0, |_| Err("gone")), Err("gone"));
    }

    #[test]
    fn the_median_lies_in_its_interval_as_often_as_tables_say() {
        // Ranks of the sign test (Conover 1999, table A3): 1 of 6, 4 of 15, 10 of 31, from below.
        for (n, rank) in [(6, 1), (15, 4), (31, 10)] {
            let values: Vec<f64> = (1..=n).rev().map(f64::from).collect();
            assert_eq!(median_interval_95(&values), [f64::from(rank), f64::from(n + 1 - rank)], "{n}");
        }
        assert_eq!(median_interval_95(&[2.0, 1.0]), [1.0, 2.0]);
    }
}
