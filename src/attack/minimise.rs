//! L-BFGS with a Moré–Thuente line search, from `argmin`.
//!
//! The library drives one trial at a time and asks for a value and a gradient whenever it likes. So each
//! trial runs in a thread of its own, and all that are waiting are evaluated in one replay of the plan.
//!
//! It stops anywhere and goes on with the same bits: [`Trace`] has the library's state after one of its iterations and the
//! answers that it got since, which are given once more.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
};

use argmin::{
    core::{
        CostFunction, Error, Executor, Gradient, IterState,
        checkpointing::{Checkpoint, CheckpointingFrequency},
    },
    solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS},
};
use serde::{Deserialize, Serialize};

/// Settings of one minimisation.
#[derive(Clone, Copy, Debug)]
pub struct Lbfgs {
    /// Most iterations of the library.
    pub iterations: u64,
    /// Steps that it remembers.
    pub history: usize,
    /// A trial ends when its value falls below this.
    pub stop: f64,
}

type Vector = Vec<f64>;
type Solver = LBFGS<MoreThuenteLineSearch<Vector, Vector, f64>, Vector, Vector, f64>;
type State = IterState<Vector, Vector, (), (), (), f64>;

/// Where one trial stands.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Trace {
    /// After one of the library's iterations; absent before the first.
    at: Option<(Solver, State)>,
    /// What was known then.
    known: Option<Known>,
    /// Answers since.
    since: Vec<(f64, Vector)>,
    ended: bool,
}

/// The last answer.
#[derive(Clone, Serialize, Deserialize)]
struct Known {
    point: Vector,
    value: f64,
    gradient: Vector,
}

/// Where all trials stand, between two evaluations.
pub struct Traces<'t>(&'t [Arc<Mutex<Under>>]);

impl Traces<'_> {
    /// A copy of where each trial stands, to go on from.
    pub fn copy(&self) -> Vec<Trace> {
        self.0.iter().map(|under| lock(under).trace.clone()).collect()
    }
}

/// Value and gradient of every trial's function at the given points; `None` for trials that have ended.
pub type Evaluate<'a> = dyn FnMut(&[Option<Vec<f64>>], &Traces) -> Result<Vec<(f64, Vec<f64>)>, String> + 'a;

/// Minimises all trials from their starts, or from where they stood: `traces` is empty or has one for each. Returns an
/// error only if `evaluate` fails. The caller keeps the best point: it sees every one.
pub fn minimise(
    starts: Vec<Vec<f64>>,
    mut traces: Vec<Trace>,
    settings: Lbfgs,
    evaluate: &mut Evaluate,
) -> Result<(), String> {
    traces.resize_with(starts.len(), Trace::default);
    let under: Vec<Arc<Mutex<Under>>> =
        traces.into_iter().map(|trace| Arc::new(Mutex::new(Under::of(trace)))).collect();
    std::thread::scope(|scope| {
        let (to_centre, requests) = channel();
        let mut replies = Vec::new();
        for (trial, start) in starts.into_iter().enumerate() {
            let (reply, answers) = channel();
            replies.push(reply);
            let to_centre = to_centre.clone();
            let under = Arc::clone(&under[trial]);
            scope.spawn(move || {
                if !lock(&under).trace.ended {
                    let problem = Remote { trial, to_centre: to_centre.clone(), answers, under };
                    // An error ends this trial only: the line search found no lower point.
                    let _ = solve(problem, start, settings);
                }
                let _ = to_centre.send((trial, None));
            });
        }
        drop(to_centre);
        serve(&requests, &replies, &under, evaluate)
    })
}

fn solve(problem: Remote, start: Vec<f64>, settings: Lbfgs) -> Result<(), Error> {
    let snapshots = Snapshots { under: Arc::clone(&problem.under), after: 2 * settings.history.max(1) };
    let solver: Solver = LBFGS::new(MoreThuenteLineSearch::new(), settings.history)
        .with_tolerance_grad(0.0)?
        .with_tolerance_cost(0.0)?;
    Executor::new(problem, solver)
        .configure(|state: State| {
            state.param(start).max_iters(settings.iterations).target_cost(settings.stop)
        })
        .checkpointing(snapshots)
        .timer(false)
        .run()?;
    Ok(())
}

type Request = (usize, Option<Vec<f64>>);
type Reply = Sender<(f64, Vec<f64>)>;

/// Answers requests until every trial has ended.
fn serve(
    requests: &Receiver<Request>,
    replies: &[Reply],
    under: &[Arc<Mutex<Under>>],
    evaluate: &mut Evaluate,
) -> Result<(), String> {
    let mut running = replies.len();
    let mut points: Vec<Option<Vec<f64>>> = vec![None; replies.len()];
    loop {
        let mut waiting = points.iter().flatten().count();
        while waiting < running {
            match requests.recv() {
                Ok((trial, Some(point))) => {
                    points[trial] = Some(point);
                    waiting += 1;
                }
                Ok((trial, None)) => {
                    lock(&under[trial]).trace.ended = true;
                    running -= 1;
                }
                Err(_) => return Ok(()),
            }
        }
        if running == 0 {
            return Ok(());
        }
        let values = evaluate(&points, &Traces(under))?;
        for (trial, value) in values.into_iter().enumerate() {
            if points[trial].take().is_some() {
                lock(&under[trial]).trace.since.push(value.clone());
                let _ = replies[trial].send(value);
            }
        }
    }
}

/// A trial under way.
struct Under {
    trace: Trace,
    known: Option<Known>,
    /// Answers from before it was stopped.
    again: VecDeque<(f64, Vec<f64>)>,
}

impl Under {
    fn of(trace: Trace) -> Under {
        Under { known: trace.known.clone(), again: trace.since.clone().into(), trace }
    }
}

fn lock(under: &Mutex<Under>) -> MutexGuard<'_, Under> {
    under.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the library's state when as many answers have come as it remembers: copying it costs little beside them, and
/// what is written stays small.
struct Snapshots {
    under: Arc<Mutex<Under>>,
    after: usize,
}

impl Checkpoint<Solver, State> for Snapshots {
    fn save(&self, solver: &Solver, state: &State) -> Result<(), Error> {
        let Under { trace, known, again } = &mut *lock(&self.under);
        if again.is_empty() && trace.since.len() >= self.after {
            trace.at = Some((solver.clone(), state.clone()));
            trace.known = known.clone();
            trace.since.clear();
        }
        Ok(())
    }

    fn load(&self) -> Result<Option<(Solver, State)>, Error> {
        Ok(lock(&self.under).trace.at.clone())
    }

    fn frequency(&self) -> CheckpointingFrequency {
        CheckpointingFrequency::Always
    }
}

/// One trial's function, evaluated elsewhere. The library asks for value and gradient separately:
/// the last answer is kept.
struct Remote {
    trial: usize,
    to_centre: Sender<Request>,
    answers: Receiver<(f64, Vec<f64>)>,
    under: Arc<Mutex<Under>>,
}

impl Remote {
    fn at(&self, point: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let again = {
            let mut under = lock(&self.under);
            if let Some(known) = &under.known
                && known.point == point
            {
                return Ok((known.value, known.gradient.clone()));
            }
            under.again.pop_front()
        };
        let (value, gradient) = match again {
            Some(answer) => answer,
            None => {
                self.to_centre.send((self.trial, Some(point.to_vec())))?;
                self.answers.recv()?
            }
        };
        if !value.is_finite() {
            return Err(Error::msg("the objective is not finite"));
        }
        lock(&self.under).known = Some(Known { point: point.to_vec(), value, gradient: gradient.clone() });
        Ok((value, gradient))
    }
}

impl CostFunction for Remote {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, point: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.at(point)?.0)
    }
}

impl Gradient for Remote {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, point: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.at(point)?.1)
    }
}
