//! An attack by L-BFGS: the plan gives values and gradients, the library decides where to look next.

use serde::{Deserialize, Serialize};

use super::{
    AttackError, Found, Hooks,
    checkpoint::{Kept, StageCheckpoint},
    minimise::{Lbfgs, Trace, Traces, minimise},
    problem::Problem,
};
use crate::{
    device::{Device, DeviceError, Executable},
    plan::Plan,
    tape::Var,
};

/// One evaluation of value and gradients.
pub fn plan(problem: &Problem) -> Plan {
    let mut keep = vec![problem.total, problem.objective, problem.norm_ratio];
    keep.extend(&problem.gradients);
    let varying: Vec<Var> = problem.variables.iter().map(|moved| moved.var).collect();
    Plan::evaluation(&problem.tape, &keep, &varying)
}

/// Compiles the evaluation; inputs still to be written.
pub fn compile(device: &dyn Device, problem: &Problem) -> Result<Box<dyn Executable>, AttackError> {
    Ok(device.compile(&plan(problem))?)
}

/// Values of an iterate that is kept for the film, at most.
const LARGEST_FRAME: usize = 1 << 20;

/// Ends the minimisation with what has been found.
const STOPPED: &str = "stopped";

/// Where all trials stand.
#[derive(Serialize, Deserialize)]
pub struct Search {
    found: Vec<Found>,
    /// Where each was looked at last.
    points: Vec<Vec<f64>>,
    traces: Vec<Trace>,
}

/// How long it goes on, and from where.
pub struct Span<'l> {
    /// Of the attack.
    pub iterations: usize,
    /// Of each of the library's minimisations.
    pub settings: Lbfgs,
    /// Where it stood when it was stopped before.
    pub before: Option<Search>,
    /// Where it stands is left here when it is told to stop.
    pub checkpoint: Option<&'l StageCheckpoint<'l>>,
}

/// Minimises every trial. `starts[t]` are the variables of trial `t`.
pub fn run(
    problem: &Problem,
    exe: &mut dyn Executable,
    starts: &[Vec<Vec<f32>>],
    span: Span,
    hooks: &mut Hooks,
) -> Result<Vec<Found>, AttackError> {
    let Span { iterations, settings, before, checkpoint } = span;
    let variables: Vec<Var> = problem.variables.iter().map(|moved| moved.var).collect();
    let lengths: Vec<usize> =
        variables.iter().map(|&v| problem.tape.len_of(v) / problem.sizes.trials).collect();
    let flat = |start: &Vec<Vec<f32>>| start.iter().flatten().map(|&v| f64::from(v)).collect();
    let begin = || Search {
        found: starts.iter().map(|start| Found::unseen(start.clone())).collect(),
        points: starts.iter().map(flat).collect(),
        traces: vec![],
    };
    let Search { found: mut trials, mut points, traces } = before.unwrap_or_else(begin);

    let mut evaluate = |asked: &[Option<Vec<f64>>], traces: &Traces| {
        // One look at least, for something to be found.
        let stops = trials.iter().any(|found| !found.history.is_empty()) && (hooks.stop)();
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| stops || checkpoint.is_due()) {
            let search = Search { found: trials.clone(), points: points.clone(), traces: traces.copy() };
            let kept = Kept::Searching(search);
            if stops { checkpoint.stop(&kept) } else { checkpoint.save(&kept) }
        }
        if stops {
            return Err(STOPPED.into());
        }
        for (point, new) in points.iter_mut().zip(asked) {
            if let Some(new) = new {
                point.clone_from(new);
            }
        }
        let seen = look(problem, exe, &variables, &lengths, &points).map_err(|e| e.to_string())?;
        for (t, found) in trials.iter_mut().enumerate().filter(|(t, _)| asked[*t].is_some()) {
            found.record(&points[t], &lengths, seen.objectives[t], seen.ratios[t]);
        }
        // An iteration takes a little more than one look; the bar shows looks against that.
        let latest: Vec<f32> = trials.iter().map(|o| *o.history.last().unwrap_or(&f32::NAN)).collect();
        let done = trials.iter().map(|o| o.history.len()).max().unwrap_or(0) * iterations
            / settings.iterations.max(1) as usize;
        hooks.iteration(done.min(iterations), iterations, &latest);
        Ok(seen.values)
    };
    match minimise(starts.iter().map(flat).collect(), traces, settings, &mut evaluate) {
        Err(why) if why != STOPPED => Err(DeviceError::Failed(why).into()),
        _ => Ok(trials),
    }
}

/// One replay at every trial's point.
struct Seen {
    /// Total and its gradient.
    values: Vec<(f64, Vec<f64>)>,
    objectives: Vec<f32>,
    ratios: Vec<f32>,
}

fn look(
    problem: &Problem,
    exe: &mut dyn Executable,
    variables: &[Var],
    lengths: &[usize],
    points: &[Vec<f64>],
) -> Result<Seen, AttackError> {
    let mut start = 0;
    for (&variable, &len) in variables.iter().zip(lengths) {
        let values: Vec<f32> =
            points.iter().flat_map(|p| p[start..start + len].iter().map(|&v| v as f32)).collect();
        exe.write(variable, &values)?;
        start += len;
    }
    exe.run(1)?;
    let totals = exe.read(problem.total)?;
    let gradients = problem.gradients.iter().map(|&g| exe.read(g)).collect::<Result<Vec<_>, _>>()?;
    let values = totals.iter().enumerate().map(|(t, &total)| {
        let parts = gradients.iter().zip(lengths).flat_map(|(g, &len)| &g[t * len..(t + 1) * len]);
        (f64::from(total), parts.map(|&v| f64::from(v)).collect())
    });
    Ok(Seen {
        values: values.collect(),
        objectives: exe.read(problem.objective)?,
        ratios: exe.read(problem.norm_ratio)?,
    })
}

impl Found {
    fn unseen(start: Vec<Vec<f32>>) -> Found {
        Found {
            values: start,
            objective: f32::INFINITY,
            norm_ratio: f32::NAN,
            stopped: None,
            history: vec![],
            film: vec![],
        }
    }

    /// Notes one evaluation, and keeps its point if it is the best so far.
    fn record(&mut self, point: &[f64], lengths: &[usize], objective: f32, ratio: f32) {
        if !objective.is_finite() {
            self.stopped.get_or_insert(self.history.len());
        }
        let values = || {
            let mut rest = point.iter().map(|&v| v as f32);
            lengths.iter().map(|&len| rest.by_ref().take(len).collect()).collect()
        };
        // 1, 2, 4, 8, …: what comes later changes less.
        let looks = self.history.len();
        if (looks == 0 || looks.is_power_of_two()) && point.len() <= LARGEST_FRAME {
            self.film.push((looks, values()));
        }
        self.history.push(objective);
        if objective < self.objective {
            (self.objective, self.norm_ratio) = (objective, ratio);
            self.values = values();
        }
    }
}
