//! L-BFGS with a Moré–Thuente line search, from `argmin`.
//!
//! The library drives one trial at a time and asks for a value and a gradient whenever it likes. So each
//! trial runs in a thread of its own, and all that are waiting are evaluated in one replay of the plan.

use std::sync::{
    Mutex,
    mpsc::{Receiver, Sender, channel},
};

use argmin::{
    core::{CostFunction, Error, Executor, Gradient},
    solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS},
};

/// Settings of one minimisation.
#[derive(Clone, Copy, Debug)]
pub struct Lbfgs {
    /// Most iterations of the library.
    pub iterations: u64,
    pub history: usize,
    /// A trial ends when its value falls below this.
    pub stop: f64,
}

/// Value and gradient of every trial's function at the given points; `None` for trials that have ended.
pub type Evaluate<'a> = dyn FnMut(&[Option<Vec<f64>>]) -> Result<Vec<(f64, Vec<f64>)>, String> + 'a;

/// Minimises all trials from their starts; returns an error only if `evaluate` fails.
/// The caller keeps the best point: it sees every one.
pub fn minimise(starts: Vec<Vec<f64>>, settings: Lbfgs, evaluate: &mut Evaluate) -> Result<(), String> {
    std::thread::scope(|scope| {
        let (to_centre, requests) = channel();
        let mut replies = Vec::new();
        for (trial, start) in starts.into_iter().enumerate() {
            let (reply, answers) = channel();
            replies.push(reply);
            let to_centre = to_centre.clone();
            scope.spawn(move || {
                let problem =
                    Remote { trial, to_centre: to_centre.clone(), answers, known: Mutex::default() };
                // An error ends this trial only: the line search found no lower point.
                let _ = solve(problem, start, settings);
                let _ = to_centre.send((trial, None));
            });
        }
        drop(to_centre);
        serve(&requests, &replies, evaluate)
    })
}

fn solve(problem: Remote, start: Vec<f64>, settings: Lbfgs) -> Result<(), Error> {
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), settings.history)
        .with_tolerance_grad(0.0)?
        .with_tolerance_cost(0.0)?;
    Executor::new(problem, solver)
        .configure(|state| state.param(start).max_iters(settings.iterations).target_cost(settings.stop))
        .timer(false)
        .run()?;
    Ok(())
}

type Request = (usize, Option<Vec<f64>>);
type Reply = Sender<(f64, Vec<f64>)>;

/// Answers requests until every trial has ended.
fn serve(requests: &Receiver<Request>, replies: &[Reply], evaluate: &mut Evaluate) -> Result<(), String> {
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
                Ok((_, None)) => running -= 1,
                Err(_) => return Ok(()),
            }
        }
        if running == 0 {
            return Ok(());
        }
        let values = evaluate(&points)?;
        for ((point, value), reply) in points.iter_mut().zip(values).zip(replies) {
            if point.take().is_some() {
                let _ = reply.send(value);
            }
        }
    }
}

/// One trial's function, evaluated elsewhere. The library asks for value and gradient separately:
/// the last answer is kept.
struct Remote {
    trial: usize,
    to_centre: Sender<Request>,
    answers: Receiver<(f64, Vec<f64>)>,
    known: Mutex<Option<Known>>,
}

struct Known {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Remote {
    fn at(&self, point: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let mut known = self.known.lock().map_err(|_| Error::msg("a trial's thread failed"))?;
        if let Some(known) = &*known
            && known.point == point
        {
            return Ok((known.value, known.gradient.clone()));
        }
        self.to_centre.send((self.trial, Some(point.to_vec())))?;
        let (value, gradient) = self.answers.recv()?;
        if !value.is_finite() {
            return Err(Error::msg("the objective is not finite"));
        }
        *known = Some(Known { point: point.to_vec(), value, gradient: gradient.clone() });
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
