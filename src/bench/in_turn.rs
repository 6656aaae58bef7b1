//! Times of several things that are to be compared, measured in turn: a machine that slows down meets all of them.

use std::time::Instant;

use super::{Spread, spread::fitting};
use crate::watch::Stage;

/// Rounds that a measurement aims at, and the fewest that have an interval.
const ROUNDS: usize = 31;
const FEWEST: usize = 7;

/// Seconds of one iteration in every round.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// One a round, in order.
    pub seconds: Vec<f64>,
    /// Iterations of each round.
    pub iterations: usize,
}

impl Series {
    /// Median and quartiles of these.
    pub fn spread(&self) -> Spread {
        Spread::of(self.seconds.clone(), self.iterations)
    }
}

/// Measures `run(thing, n)`, which runs `n` iterations of one of the `things` and returns when they are done, for about
/// `seconds` each (longer where seven rounds take longer). A round has a turn for each of them, every other round from
/// the last to the first; the first iteration of a turn is not counted. `stage` shows how many turns are done and of
/// how many, if the rounds are as many as hoped for.
pub fn in_turn<E>(
    things: usize,
    seconds: f64,
    run: &mut dyn FnMut(usize, usize) -> Result<(), E>,
    stage: &Stage,
) -> Result<Vec<Series>, E> {
    let goal = seconds / ROUNDS as f64;
    let mut time = |thing: usize, iterations: usize| -> Result<f64, E> {
        let started = Instant::now();
        run(thing, iterations)?;
        Ok(started.elapsed().as_secs_f64())
    };
    let (mut series, mut round) = (vec![], 0.0);
    for thing in 0..things {
        stage.count(thing, (1 + ROUNDS) * things);
        let (iterations, spent) = fitting(goal, |n| time(thing, n))?;
        series.push(Series { seconds: vec![], iterations });
        round += spent * (1.0 + 1.0 / iterations as f64);
    }
    let rounds = ((seconds * things as f64 / round) as usize).clamp(FEWEST, ROUNDS);
    for done in 0..rounds {
        for turn in 0..things {
            stage.count((1 + done) * things + turn, (1 + rounds) * things);
            let thing = if done % 2 == 0 { turn } else { things - 1 - turn };
            time(thing, 1)?;
            let Series { seconds, iterations } = &mut series[thing];
            seconds.push(time(thing, *iterations)? / *iterations as f64);
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::watch::{Progress, Silent, Watch};

    #[derive(Default)]
    struct Heard(Mutex<Vec<(usize, usize)>>);

    impl Watch for Heard {
        fn progress(&self, _: &'static str, now: Progress) {
            if let Progress::Count { done, of } = now {
                self.0.lock().unwrap().push((done, of));
            }
        }
    }

    #[test]
    fn every_round_has_a_turn_for_each_and_every_other_one_goes_back() {
        let (mut calls, heard) = (vec![], Heard::default());
        let run = &mut |thing, n| -> Result<(), ()> {
            calls.push((thing, n));
            Ok(())
        };
        let series = in_turn(2, 1e-12, run, &Stage::new(&heard, "turns")).unwrap();
        let heard = heard.0.into_inner().unwrap();
        assert_eq!(
            series.iter().map(|s| (s.seconds.len(), s.iterations)).collect::<Vec<_>>(),
            [(FEWEST, 1); 2]
        );
        // Warm-up and the number of iterations, then in every turn one that is not counted.
        let ahead = [(0, 1), (0, 1), (1, 1), (1, 1)];
        let rounds =
            (0..FEWEST).flat_map(|round| [[0, 0, 1, 1], [1, 1, 0, 0]][round % 2]).map(|thing| (thing, 1));
        assert_eq!(calls, ahead.into_iter().chain(rounds).collect::<Vec<_>>());
        assert_eq!(heard[2..], (2..2 + 2 * FEWEST).map(|done| (done, 2 + 2 * FEWEST)).collect::<Vec<_>>());
        assert_eq!(in_turn(1, 1.0, &mut |_, _| Err("gone"), &Stage::new(&Silent, "turns")), Err("gone"));
    }
}
