//! Adam (Kingma 2015) as part of the plan: one replay is one step, and all state stays on the device.

use super::{
    AttackError, Found, Hooks, ball,
    checkpoint::{Kept, StageCheckpoint},
    config::{Optimiser, Schedule, Sign},
    course::{Course, RING, Standing},
    guidance::Guidance,
    langevin::Noise,
    looks::looks_after,
    problem::Problem,
    schedule::{BETA_1, BETA_2, rate},
    unknown::{Bounds, Moves, Unknown},
};
use crate::{
    device::{Device, Executable},
    plan::Plan,
    tape::{Tape, Var},
};

const EPSILON: f64 = 1e-8;

/// Adam's own settings.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Of the optimiser's steps, before the schedule.
    pub learning_rate: f64,
    /// What Adam is given in place of the gradient.
    pub sign: Sign,
    /// How the learning rate falls over the iterations.
    pub schedule: Schedule,
    /// Iterations over which the learning rate rises from 0 first.
    pub warm_up: usize,
    /// Each gradient gets this times the learning rate times N(0,1); 0: no noise.
    pub langevin: f64,
    /// Of the Langevin noise.
    pub seed: u64,
    /// Whether all trials draw the same noise: hypotheses of one start do, in whatever place of whatever round they
    /// stand.
    pub shared_noise: bool,
}

impl Adam {
    /// `None` where the optimiser is another.
    pub fn of(optimiser: Optimiser, seed: u64) -> Option<Adam> {
        match optimiser {
            Optimiser::Adam { learning_rate, sign, schedule, warm_up, langevin } => {
                let shared_noise = false;
                Some(Adam { learning_rate, sign, schedule, warm_up, langevin, seed, shared_noise })
            }
            Optimiser::Lbfgs { .. } => None,
        }
    }
}

/// One attack iteration as a plan with state.
pub struct Iteration {
    /// One replay is one iteration.
    pub plan: Plan,
    /// Iterations done, `(1)`.
    pub counter: Var,
    /// The problem's variables, `(T,…)` each.
    pub(super) variables: Vec<Var>,
    /// Best iterate: the same of it.
    pub(super) best: Vec<Var>,
    /// Of the best iterate, `(T)`; infinite before the first iteration.
    pub best_objective: Var,
    pub(super) best_norm_ratio: Var,
    /// Of the best iterate, `(T)`, the objective and the pull of names, where these pull to the end.
    best_pulled: Option<Var>,
    /// Objectives of the last iterations, `(T, RING)`.
    pub(super) ring: Var,
    /// All that one iteration leaves to the next, in the order that every iteration of this attack has.
    state: Vec<Var>,
}

impl Iteration {
    /// Moves every variable of the problem that this is the unknown of, each as it says itself.
    pub fn new(problem: &mut Problem, unknown: &dyn Unknown, adam: Adam, iterations: usize) -> Iteration {
        let trials = problem.sizes.trials;
        let (objective, norm_ratio) = (problem.objective, problem.norm_ratio);
        let tape = &mut problem.tape;
        let mut updates = Vec::new();

        let counter = tape.input(&[1]);
        let next = tape.add_scalar(counter, 1.0);
        let rates = rates(adam, problem.guidance.map(|g| g.schedule), iterations);
        let table = tape.literal(&[rates.len() / COLUMNS, COLUMNS], rates);
        let row = tape.gather(table, counter);
        let [step, root, slot, noise, guidance] = [0, 1, 2, 3, 4].map(|i| {
            let cell = tape.narrow(row, 1, i, 1);
            tape.reshape(cell, &[])
        });

        let best_objective = tape.input(&[trials]);
        let best_norm_ratio = tape.input(&[trials]);
        let stays = problem.guidance.filter(|inputs| inputs.schedule.stays());
        let pulled = stays.map(|inputs| (tape.add(objective, inputs.term), tape.input(&[trials])));
        let mut better = match pulled {
            None => tape.less(objective, best_objective),
            Some((value, best)) => tape.less(value, best),
        };
        if let Some((value, best)) = pulled {
            let kept = tape.select(better, value, best);
            updates.push((best, kept));
        } else if let Some(inputs) = problem.guidance {
            // What guidance still pushes about is no candidate: hypotheses are compared by what matching alone holds.
            let zero = tape.scalar(0.0);
            let alone = tape.equal(inputs.weight, zero);
            better = tape.mul(better, alone);
        }
        for (state, value) in [(best_objective, objective), (best_norm_ratio, norm_ratio)] {
            let kept = tape.select(better, value, state);
            updates.push((state, kept));
        }
        let ring = tape.input(&[trials, RING]);
        let positions = tape.literal(&[1, RING], (0..RING).map(|i| i as f64).collect());
        let here = tape.equal(positions, slot);
        let column = tape.reshape(objective, &[trials, 1]);
        let written = tape.select(here, column, ring);
        updates.push((ring, written));

        let (mut best, mut all_noise) = (Vec::new(), None);
        let (mut moved_to, mut kept) = (Vec::new(), Vec::new());
        for (moved, &gradient) in problem.variables.iter().zip(&problem.gradients) {
            let (x, about) = (moved.var, &moved.about);
            if about.moves == Moves::Kept {
                moved_to.push(x);
                kept.push(x);
                best.push(x);
                continue;
            }
            let shape = tape.shape(x).to_vec();
            let best_x = tape.input(&shape);
            let mask = tape.reshape(better, &[&[trials], vec![1; shape.len() - 1].as_slice()].concat());
            let kept = tape.select(mask, x, best_x);
            updates.push((best_x, kept));
            best.push(best_x);
            if about.moves == Moves::Rule {
                moved_to.push(x);
                continue;
            }

            let mut gradient = gradient;
            if !about.plain && adam.langevin != 0.0 {
                let drawn = match adam.shared_noise {
                    true => [&[1], &shape[1..]].concat(),
                    false => shape.clone(),
                };
                let all = all_noise.get_or_insert_with(|| Noise::new(tape, adam.seed));
                let draws = all.of(tape, &drawn, counter, iterations);
                let draws = tape.mul(draws, noise);
                gradient = tape.add(gradient, draws);
            }
            if !about.plain {
                gradient = signed(tape, gradient, adam.sign);
            }
            let (m, v) = (tape.input(&shape), tape.input(&shape));
            let new_m = moment(tape, m, gradient, BETA_1);
            let square = tape.mul(gradient, gradient);
            let new_v = moment(tape, v, square, BETA_2);
            updates.extend([(m, new_m), (v, new_v)]);
            let spread = tape.sqrt(new_v);
            let spread = tape.mul(spread, root);
            let spread = tape.add_scalar(spread, EPSILON);
            let direction = tape.div(new_m, spread);
            let mut change = tape.mul(direction, step);
            if about.rate != 1.0 {
                change = tape.mul_scalar(change, about.rate);
            }
            let next = tape.sub(x, change);
            let next = match &about.bounds {
                Bounds::Free => next,
                Bounds::Range { shape, low, high } => held(tape, next, shape, [low, high]),
                Bounds::Ball { centre, share } => {
                    ball::project(tape, next, problem.variables[*centre].var, *share)
                }
            };
            updates.push((x, next));
            moved_to.push(next);
        }
        let following = problem.variables.iter().filter(|moved| moved.about.moves == Moves::Rule);
        let following: Vec<Var> = following.map(|moved| moved.var).collect();
        if !following.is_empty() {
            let own = unknown.variables().len();
            updates.extend(following.into_iter().zip(unknown.follow(tape, &moved_to[..own])));
        }
        updates.push((counter, next));
        let state = updates.iter().map(|&(state, _)| state).chain(kept).collect();
        if let Some(inputs) = problem.guidance {
            let next = tape.reshape(guidance, &[1]);
            updates.push((inputs.weight, next));
            updates.extend(inputs.look.map(|look| (look, looks_after(tape, look))));
        }
        let plan = Plan::new(tape, &[], &updates);
        let variables = problem.variables.iter().map(|moved| moved.var).collect();
        let best_pulled = pulled.map(|(_, best)| best);
        Iteration {
            plan,
            counter,
            variables,
            best,
            best_objective,
            best_norm_ratio,
            best_pulled,
            ring,
            state,
        }
    }

    /// Sets what the first iteration finds; the problem's inputs are the caller's to write.
    pub fn begin(&self, problem: &Problem, exe: &mut dyn Executable) -> Result<(), AttackError> {
        exe.write(self.best_objective, &vec![f32::INFINITY; problem.sizes.trials])?;
        if let Some(best) = self.best_pulled {
            exe.write(best, &vec![f32::INFINITY; problem.sizes.trials])?;
        }
        problem.guidance.map_or(Ok(()), |inputs| inputs.write_at(exe, 0, 1))
    }

    /// Runs all iterations and one more evaluation, from the problem as written into `exe`.
    pub fn run(
        &self,
        problem: &Problem,
        exe: &mut dyn Executable,
        iterations: usize,
        hooks: &mut Hooks,
        checkpoint: Option<&StageCheckpoint>,
    ) -> Result<Vec<Found>, AttackError> {
        let before = match checkpoint.map(StageCheckpoint::kept).transpose()?.flatten() {
            Some(Kept::Found(found)) => return Ok(found),
            Some(Kept::Standing(standing)) => Some(standing),
            _ => None,
        };
        let mut course = self.stand(problem, exe, iterations, before)?;
        course.run(self, exe, iterations + 1, hooks, checkpoint)?;
        let found = course.found(self, exe)?;
        if let Some(checkpoint) = checkpoint {
            checkpoint.complete(&Kept::Found(found.clone()));
        }
        Ok(found)
    }

    /// At the first iteration, or where another plan of the same attack stood.
    pub(super) fn stand(
        &self,
        problem: &Problem,
        exe: &mut dyn Executable,
        iterations: usize,
        before: Option<Standing>,
    ) -> Result<Course, AttackError> {
        let Some(Standing { course, state }) = before else {
            self.begin(problem, exe)?;
            return Ok(Course::new(problem.sizes.trials, iterations, problem.values()));
        };
        self.take_over(exe, &state)?;
        problem.guidance.map_or(Ok(()), |inputs| inputs.write_at(exe, course.done(), iterations))?;
        Ok(course)
    }

    /// Where the attack stands: variables, moments, counter, the best iterate.
    pub fn state(&self, exe: &mut dyn Executable) -> Result<Vec<Vec<f32>>, AttackError> {
        Ok(self.state.iter().map(|&state| exe.read(state)).collect::<Result<_, _>>()?)
    }

    /// Goes on where another plan of the same attack stood.
    pub fn take_over(&self, exe: &mut dyn Executable, state: &[Vec<f32>]) -> Result<(), AttackError> {
        Ok(self.state.iter().zip(state).try_for_each(|(&var, values)| exe.write(var, values))?)
    }
}

/// Compiles the iteration and returns it with its executable, inputs still to be written.
pub fn compile(
    device: &dyn Device,
    problem: &mut Problem,
    unknown: &dyn Unknown,
    adam: Adam,
    iterations: usize,
) -> Result<(Iteration, Box<dyn Executable>), AttackError> {
    let iteration = Iteration::new(problem, unknown, adam, iterations);
    let exe = device.compile(&iteration.plan)?;
    Ok((iteration, exe))
}

/// Rows of (learning rate / (1 − β₁ᵗ), 1/√(1 − β₂ᵗ), ring slot, deviation of the noise, λ of the next iteration), one
/// an iteration and a last one that only evaluates.
const COLUMNS: usize = 5;

fn rates(adam: Adam, guidance: Option<Guidance>, iterations: usize) -> Vec<f64> {
    let row = |i: usize| {
        let t = i as i32 + 1;
        let rate = rate(adam.schedule, adam.warm_up, adam.learning_rate, i, iterations);
        let step = if i < iterations { rate / (1.0 - BETA_1.powi(t)) } else { 0.0 };
        let next = guidance.map_or(0.0, |g| g.at(i + 1, iterations));
        [step, 1.0 / (1.0 - BETA_2.powi(t)).sqrt(), (i % RING) as f64, adam.langevin * rate, next]
    };
    (0..=iterations).flat_map(row).collect()
}

/// β·state + (1 − β)·new
fn moment(tape: &mut Tape, state: Var, new: Var, beta: f64) -> Var {
    let old = tape.mul_scalar(state, beta);
    let new = tape.mul_scalar(new, 1.0 - beta);
    tape.add(old, new)
}

fn signed(tape: &mut Tape, gradient: Var, sign: Sign) -> Var {
    match sign {
        Sign::None => gradient,
        Sign::Hard => tape.sign(gradient),
        Sign::Soft(s) => {
            let scaled = tape.mul_scalar(gradient, s);
            let soft = tape.tanh(scaled);
            tape.mul_scalar(soft, 1.0 / s)
        }
    }
}

/// `x (T,…)` between these bounds.
fn held(tape: &mut Tape, x: Var, shape: &[usize], [low, high]: [&Vec<f32>; 2]) -> Var {
    let mut side = |values: &[f32]| {
        let values = values.iter().map(|&v| f64::from(v)).collect();
        tape.literal(&[&[1], shape].concat(), values)
    };
    let (low, high) = (side(low), side(high));
    let raised = tape.max(x, low);
    tape.min(raised, high)
}
