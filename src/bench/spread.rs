//! Times of repeated calls.

use std::time::Instant;

/// Samples that a measurement aims at, and the fewest that have a median and quartiles.
const SAMPLES: usize = 15;
const FEWEST: usize = 5;

/// Seconds of one iteration, over samples of several iterations each.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    pub median: f64,
    pub lower_quartile: f64,
    pub upper_quartile: f64,
    pub lowest: f64,
    pub highest: f64,
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

/// Measures `run(n)`, which runs `n` iterations and returns when they are done, for about `seconds` (longer where
/// five iterations take longer). The first iteration is not counted.
pub fn sample<E>(seconds: f64, mut run: impl FnMut(usize) -> Result<(), E>) -> Result<Spread, E> {
    let mut time = |iterations: usize| -> Result<f64, E> {
        let started = Instant::now();
        run(iterations)?;
        Ok(started.elapsed().as_secs_f64())
    };
    time(1)?;
    let goal = seconds / SAMPLES as f64;
    let (mut iterations, mut spent) = (1, time(1)?);
    // The clock and the return to the host must not be part of what is measured.
    while spent < goal / 2.0 {
        let fitting = (goal / (spent / iterations as f64).max(1e-9)) as usize;
        iterations = fitting.clamp(iterations + 1, 10 * iterations);
        spent = time(iterations)?;
    }
    let started = Instant::now();
    let mut samples = vec![];
    while samples.len() < FEWEST || started.elapsed().as_secs_f64() < seconds {
        samples.push(time(iterations)? / iterations as f64);
    }
    Ok(Spread::of(samples, iterations))
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
}
