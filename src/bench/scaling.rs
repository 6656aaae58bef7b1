//! How the time of an iteration grows with the batch, the number of trials and the victim's width.

use serde::Serialize;

use super::{BenchError, Inputs, Measured, Subject, Work};
use crate::{attack::MAX_TRIALS, device::Device, federated::Request};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Pictures of a trial.
    Batch,
    /// Trials of one attack.
    Trials,
    /// Channels of `convnet<width>`'s first convolution.
    Width,
}

/// One axis, everything else held.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub axis: Axis,
    pub subjects: Vec<(usize, Subject)>,
}

/// A value on the axis, and what it came to.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub value: usize,
    /// Rounds that an attack runs one after another, and what one of them came to.
    pub rounds: usize,
    #[serde(flatten)]
    pub measured: Measured,
}

impl Point {
    /// Median of an iteration of all rounds.
    pub fn seconds(&self) -> f64 {
        self.rounds as f64 * self.measured.seconds.median
    }
}

/// A place where a trial costs more among many than among few.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rise {
    pub from: usize,
    pub to: usize,
    /// Seconds per trial at `to` by those at `from`.
    pub factor: f64,
}

/// Less than this is no rise.
const NOISE: f64 = 1.05;

/// B from 1 to 64 and T from 1 to 256 for a victim, and ConvNet's width from 4 to 64.
pub fn sweeps(victim: &Request) -> Vec<Sweep> {
    let powers = |most: usize| (0..).map(|i| 1 << i).take_while(move |&n| n <= most);
    let subject = |victim: &Request, batch, trials| Subject {
        work: Work::Attack,
        victim: victim.clone(),
        batch,
        trials,
    };
    let convnet = |width| Request::named(&format!("convnet{width}"));
    vec![
        Sweep { axis: Axis::Batch, subjects: powers(64).map(|n| (n, subject(victim, n, 1))).collect() },
        Sweep { axis: Axis::Trials, subjects: powers(256).map(|n| (n, subject(victim, 1, n))).collect() },
        Sweep {
            axis: Axis::Width,
            subjects: powers(64).skip(2).map(|n| (n, subject(&convnet(n), 1, 1))).collect(),
        },
    ]
}

impl Axis {
    pub fn name(self) -> &'static str {
        match self {
            Axis::Batch => "batch",
            Axis::Trials => "trials",
            Axis::Width => "width",
        }
    }
}

impl Sweep {
    /// Measures every point for about `seconds`, calling `before` before each. More trials than an attack takes at once are
    /// rounds, as there.
    pub fn measure(
        &self,
        device: &dyn Device,
        seed: u64,
        seconds: f64,
        before: &mut dyn FnMut(),
    ) -> Result<Vec<Point>, BenchError> {
        let mut points = vec![];
        for (value, subject) in &self.subjects {
            before();
            let rounds = subject.trials.div_ceil(MAX_TRIALS);
            let subject = Subject { trials: subject.trials.div_ceil(rounds), ..subject.clone() };
            let inputs = Inputs::drawn(device, &subject, seed)?;
            let measured = subject.measure(device, &inputs, seconds)?;
            points.push(Point { value: *value, rounds, measured });
        }
        Ok(points)
    }
}

/// Where the time per trial rises from one point to the next by more than the measurements differ among themselves.
pub fn rises(points: &[Point]) -> Vec<Rise> {
    let per_trial = |point: &Point, seconds: f64| seconds / point.measured.trials as f64;
    points
        .windows(2)
        .filter_map(|pair| {
            let [before, after] = pair else { return None };
            let factor = after.measured.seconds_per_trial / before.measured.seconds_per_trial;
            let apart = per_trial(after, after.measured.seconds.lower_quartile)
                > per_trial(before, before.measured.seconds.upper_quartile);
            (factor > NOISE && apart).then_some(Rise { from: before.value, to: after.value, factor })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Spread;

    fn point(trials: usize, seconds: &[f64]) -> Point {
        let seconds = Spread::of(seconds.to_vec(), 1);
        let measured = Measured {
            work: Work::Attack,
            architecture: "lenet-zhu".into(),
            options: String::new(),
            image: [3, 32, 32],
            batch: 1,
            trials,
            seconds_per_trial: seconds.median / trials as f64,
            seconds,
            tape_seconds: None,
            plan_seconds: 0.0,
            compile_seconds: None,
            totals: None,
        };
        Point { value: trials, rounds: 1, measured }
    }

    #[test]
    fn a_trial_that_costs_more_among_many_is_found_and_noise_is_not() {
        let steady = [point(1, &[1.0; 5]), point(2, &[1.8; 5]), point(4, &[3.7; 5])];
        assert_eq!(rises(&steady), []);
        let noisy = [point(1, &[0.9, 1.0, 1.0, 1.3, 1.4]), point(2, &[1.8, 2.0, 2.4, 2.6, 2.9])];
        assert_eq!(rises(&noisy), []);
        let risen = [point(8, &[4.0; 5]), point(16, &[12.0; 5])];
        assert_eq!(rises(&risen), [Rise { from: 8, to: 16, factor: 1.5 }]);
    }

    #[test]
    fn every_axis_begins_at_its_least_and_ends_at_its_most() {
        let ends = |axis| {
            let sweeps = sweeps(&Request::named("lenet-zhu"));
            let sweep = sweeps.into_iter().find(|s| s.axis == axis).unwrap();
            let values: Vec<usize> = sweep.subjects.iter().map(|s| s.0).collect();
            assert!(values.is_sorted());
            (values[0], values[values.len() - 1])
        };
        assert_eq!(ends(Axis::Batch), (1, 64));
        assert_eq!(ends(Axis::Trials), (1, 256));
        assert_eq!(ends(Axis::Width), (4, 64));
    }
}
