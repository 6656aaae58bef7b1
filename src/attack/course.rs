//! The iterations of an attack with Adam, from the first to the last; one plan may hand over to another on the way.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    AttackError, Found, Hooks,
    adam::Iteration,
    checkpoint::{Kept, StageCheckpoint},
    film::moments,
};
use crate::device::Executable;

/// Replays between two looks at the losses.
pub(super) const RING: usize = 100;

/// How far an attack has come.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Course {
    iterations: usize,
    /// Evaluations done. One more than there are iterations, for the last iterate's objective.
    done: usize,
    /// Objectives of each trial so far.
    histories: Vec<Vec<f32>>,
    /// Replays until the next look.
    #[serde(skip, default = "first_chunk")]
    chunk: usize,
    /// Iterates to keep that are still to come, and those that were kept: each variable of all trials.
    moments: VecDeque<usize>,
    film: Vec<(usize, Vec<Vec<f32>>)>,
}

/// Where an attack stands: how far it has come, and what its plan leaves to the next iteration.
#[derive(Serialize, Deserialize)]
pub(crate) struct Standing {
    pub course: Course,
    pub state: Vec<Vec<f32>>,
}

fn first_chunk() -> usize {
    1
}

impl Course {
    /// `values`: of all variables of all trials.
    pub(crate) fn new(trials: usize, iterations: usize, values: usize) -> Course {
        let histories = vec![Vec::with_capacity(iterations + 1); trials];
        let moments = moments(iterations, values).into();
        Course { iterations, done: 0, histories, chunk: first_chunk(), moments, film: vec![] }
    }

    /// Evaluations done.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Goes on until `end` evaluations are done (`iterations + 1` are all), no trial's objective is finite, or it is told to
    /// stop: then it is over before its end, and `checkpoint` has where it stood.
    pub(crate) fn run(
        &mut self,
        iteration: &Iteration,
        exe: &mut dyn Executable,
        end: usize,
        hooks: &mut Hooks,
        checkpoint: Option<&StageCheckpoint>,
    ) -> Result<(), AttackError> {
        let end = end.min(self.iterations + 1);
        while self.done < end {
            if self.moments.front() == Some(&self.done) {
                self.moments.pop_front();
                let values = iteration.variables.iter().map(|&v| exe.read(v)).collect::<Result<_, _>>()?;
                self.film.push((self.done, values));
            }
            let next = self.moments.front().map_or(usize::MAX, |moment| moment - self.done);
            let now = self.chunk.min(RING).min(end - self.done).min(next);
            let started = std::time::Instant::now();
            exe.run(now)?;
            let ring = exe.read(iteration.ring)?;
            for (t, history) in self.histories.iter_mut().enumerate() {
                history.extend((self.done..self.done + now).map(|i| ring[t * RING + i % RING]));
            }
            // About five looks a second.
            let seconds = started.elapsed().as_secs_f64();
            self.chunk = ((0.2 / (seconds / now as f64).max(1e-6)) as usize).max(1);
            self.done += now;
            let latest: Vec<f32> = self.histories.iter().map(|h| h[self.done - 1]).collect();
            hooks.iteration(self.done.min(self.iterations), self.iterations, &latest);
            if latest.iter().all(|l| !l.is_finite()) {
                self.done = self.iterations + 1;
            }
            // At its end a stage is over, told to stop or not: the next one hears of it.
            let stops = self.done < end && (hooks.stop)();
            if let Some(checkpoint) =
                checkpoint.filter(|checkpoint| self.done < end && (stops || checkpoint.is_due()))
            {
                let kept = Kept::Standing(Standing { course: self.clone(), state: iteration.state(exe)? });
                if stops { checkpoint.stop(&kept) } else { checkpoint.save(&kept) }
            }
            if stops {
                self.done = self.iterations + 1;
            }
        }
        Ok(())
    }

    /// What has been found, a trial each.
    pub(crate) fn found(
        self,
        iteration: &Iteration,
        exe: &mut dyn Executable,
    ) -> Result<Vec<Found>, AttackError> {
        let trials = self.histories.len();
        let best = iteration.best.iter().map(|&b| exe.read(b)).collect::<Result<Vec<_>, _>>()?;
        let objectives = exe.read(iteration.best_objective)?;
        let ratios = exe.read(iteration.best_norm_ratio)?;
        let part = |v: &[f32], t: usize| v[v.len() / trials * t..v.len() / trials * (t + 1)].to_vec();
        let found = |(t, history): (usize, Vec<f32>)| Found {
            values: best.iter().map(|all| part(all, t)).collect(),
            objective: objectives[t],
            norm_ratio: ratios[t],
            stopped: history.iter().position(|l| !l.is_finite()),
            history,
            film: self.film.iter().map(|(at, all)| (*at, all.iter().map(|v| part(v, t)).collect())).collect(),
        };
        Ok(self.histories.into_iter().enumerate().map(found).collect())
    }
}
