//! How the time of an iteration grows with the batch, the number of trials and the victim's width.

use serde::Serialize;

use super::{
    BenchError, Inputs, Measured, Ready, Series, Spread, Subject, Work, in_turn, spread::median_interval_95,
};
use crate::{
    attack::{MAX_TRIALS, preset::Preset},
    device::Device,
    federated::Request,
    watch::{Stage, Watch},
};

/// What grows.
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
    /// What grows.
    pub axis: Axis,
    /// Values on the axis, rising, and what is measured at each.
    pub subjects: Vec<(usize, Subject)>,
}

/// A value on the axis, and what it came to.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// On the axis.
    pub value: usize,
    /// Rounds that an attack runs one after another, and what one of them came to.
    pub rounds: usize,
    /// What the subject came to.
    #[serde(flatten)]
    pub measured: Measured,
}

impl Point {
    /// Median of an iteration of all rounds.
    pub fn seconds(&self) -> f64 {
        self.rounds as f64 * self.measured.seconds.median
    }
}

/// What a trial costs among more of them, by what it costs at the point before: a ratio in each round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Trials at the point before.
    pub from: usize,
    /// Trials at this point.
    pub to: usize,
    /// Over the rounds.
    pub median: f64,
    /// 95 % interval of the median, by order statistics.
    pub interval_95: [f64; 2],
    /// Whether a trial costs more among more of them, beyond chance and by enough to matter.
    pub rises: bool,
}

/// What one axis came to.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// What grows.
    pub axis: Axis,
    /// By rising value.
    pub points: Vec<Point>,
    /// Of trials; more pictures in a trial, or wider layers, cost more.
    pub steps: Vec<Step>,
}

/// Less than this is no rise: two plans of one program differ by as much, by where their memory lies.
const SAME: f64 = 1.02;

/// B from 1 to 64 and T from 1 to 256 for a victim, and ConvNet's width from 4 to 64.
pub fn sweeps(victim: &Request) -> Vec<Sweep> {
    let powers = |most: usize| (0..).map(|i| 1 << i).take_while(move |&n| n <= most);
    let subject = |victim: &Request, batch, trials| Subject {
        work: Work::Attack,
        preset: Preset::Ig,
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
    /// As JSON and the plots' files have it.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Batch => "batch",
            Axis::Trials => "trials",
            Axis::Width => "width",
        }
    }
}

impl Sweep {
    /// Measures all points in turn for about `seconds` each, saying how many turns are done and of how many. More trials
    /// than an attack takes at once are rounds, as there.
    pub fn measure(
        &self,
        device: &dyn Device,
        seed: u64,
        seconds: f64,
        watch: &dyn Watch,
    ) -> Result<Growth, BenchError> {
        let rounds = |subject: &Subject| subject.trials.div_ceil(MAX_TRIALS);
        let at_once = |subject: &Subject| subject.trials.div_ceil(rounds(subject));
        let subjects: Vec<Subject> =
            self.subjects.iter().map(|(_, s)| Subject { trials: at_once(s), ..s.clone() }).collect();
        let inputs: Vec<Inputs> =
            subjects.iter().map(|s| Inputs::drawn(device, s, seed)).collect::<Result<_, _>>()?;
        let mut ready: Vec<Ready> =
            subjects.iter().zip(&inputs).map(|(s, i)| s.ready(device, i)).collect::<Result<_, _>>()?;
        let run = &mut |thing: usize, iterations| ready[thing].run(iterations);
        let stage = Stage::new(watch, self.axis.name());
        let series = in_turn(subjects.len(), seconds, run, &stage)?;
        let points =
            self.subjects.iter().zip(&ready).zip(&series).map(|(((value, subject), ready), series)| Point {
                value: *value,
                rounds: rounds(subject),
                measured: ready.measured(series.spread()),
            });
        let points: Vec<Point> = points.collect();
        let steps = if self.axis == Axis::Trials { steps(&points, &series) } else { vec![] };
        Ok(Growth { axis: self.axis, points, steps })
    }
}

/// From each point to the next.
fn steps(points: &[Point], series: &[Series]) -> Vec<Step> {
    let each = |i: usize, seconds: f64| seconds / points[i].measured.trials as f64;
    let step = |i: usize| {
        let pairs = series[i].seconds.iter().zip(&series[i + 1].seconds);
        let ratios: Vec<f64> = pairs.map(|(&before, &after)| each(i + 1, after) / each(i, before)).collect();
        let (interval_95, median) = (median_interval_95(&ratios), Spread::of(ratios, 1).median);
        let rises = interval_95[0] > 1.0 && median > SAME;
        Step { from: points[i].value, to: points[i + 1].value, median, interval_95, rises }
    };
    (1..points.len()).map(|i| step(i - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &[(usize, &[f64])]) -> Vec<Step> {
        let series: Vec<Series> =
            rows.iter().map(|(_, seconds)| Series { seconds: seconds.to_vec(), iterations: 1 }).collect();
        let points = rows.iter().zip(&series).map(|(&(trials, _), series)| {
            let seconds = series.spread();
            let measured = Measured {
                work: Work::Attack,
                preset: None,
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
        });
        steps(&points.collect::<Vec<_>>(), &series)
    }

    #[test]
    fn a_trial_that_costs_more_among_many_is_found_and_noise_is_not() {
        let steady = found(&[(1, &[1.0; 7]), (2, &[1.8; 7]), (4, &[3.6; 7])]);
        assert_eq!(steady.iter().map(|s| (s.from, s.to)).collect::<Vec<_>>(), [(1, 2), (2, 4)]);
        assert_eq!((steady[0].median, steady[1].median), (0.9, 1.0));
        assert!(!steady[0].rises && !steady[1].rises);

        // Once a trial was cheaper.
        let noisy = found(&[(1, &[1.0; 7]), (2, &[2.2, 2.2, 2.2, 1.9, 2.2, 2.2, 2.2])]);
        assert!(noisy[0].median > 1.05 && !noisy[0].rises);

        let risen = found(&[(8, &[4.0; 7]), (16, &[12.0; 7])]);
        assert!(risen[0].rises && risen[0].median == 1.5);
    }

    #[test]
    fn a_machine_that_slows_down_is_no_rise() {
        let slower = [1.0, 1.0, 1.0, 1.5, 1.5, 1.5, 1.5];
        let rows = found(&[(1, &slower), (2, &slower.map(|s| 2.0 * s))]);
        assert_eq!((rows[0].median, rows[0].interval_95), (1.0, [1.0, 1.0]));
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
