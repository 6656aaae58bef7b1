//! Adam (Kingma 2015) as part of the plan: one replay is one step, and all state stays on the device.

use super::{
    AttackError, Hooks, Outcome,
    config::{AttackConfig, Optimiser, Schedule, Sign},
    guidance::Guidance,
    langevin,
    problem::Problem,
    schedule::{BETA_1, BETA_2, rate},
};
use crate::{
    device::{Device, Executable},
    plan::Plan,
    tape::{Tape, Var},
};

const EPSILON: f64 = 1e-8;

/// Replays between two looks at the losses.
const RING: usize = 100;

/// Adam's own settings.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    pub learning_rate: f64,
    pub sign: Sign,
    pub schedule: Schedule,
    pub warm_up: usize,
    pub langevin: f64,
    /// Of the Langevin noise.
    pub seed: u64,
}

impl Adam {
    /// `None` where the optimiser is another.
    pub fn of(optimiser: Optimiser, seed: u64) -> Option<Adam> {
        match optimiser {
            Optimiser::Adam { learning_rate, sign, schedule, warm_up, langevin } => {
                Some(Adam { learning_rate, sign, schedule, warm_up, langevin, seed })
            }
            Optimiser::Lbfgs { .. } => None,
        }
    }
}

/// One attack iteration as a plan with state.
pub struct Iteration {
    pub plan: Plan,
    /// Iterations done, `(1)`.
    pub counter: Var,
    /// Best iterate `(T,B,C,H,W)`, its labels' logits where they are optimised.
    best: Vec<Var>,
    /// Of the best iterate, `(T)`; infinite before the first iteration.
    pub best_objective: Var,
    best_norm_ratio: Var,
    /// Objectives of the last iterations, `(T, RING)`.
    ring: Var,
}

impl Iteration {
    /// `bounds`: lowest and highest normalised value of each channel, if pixels are clamped.
    pub fn new(
        problem: &mut Problem,
        adam: Adam,
        iterations: usize,
        bounds: Option<&[(f32, f32)]>,
    ) -> Iteration {
        let trials = problem.sizes.trials;
        let (objective, norm_ratio) = (problem.objective, problem.norm_ratio);
        let mut variables = vec![problem.x];
        if problem.sizes.joint_labels {
            variables.push(problem.labels);
        }
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
        let mut better = tape.less(objective, best_objective);
        if let Some(inputs) = problem.guidance {
            // What guidance still pushes about is no candidate: hypotheses are compared by what matching alone holds.
            let zero = tape.scalar(0.0);
            let alone = tape.equal(inputs.weight, zero);
            better = tape.mul(better, alone);
            let next = tape.reshape(guidance, &[1]);
            updates.push((inputs.weight, next));
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

        let mut best = Vec::new();
        for (i, (&x, &gradient)) in variables.iter().zip(&problem.gradients).enumerate() {
            let shape = tape.shape(x).to_vec();
            let best_x = tape.input(&shape);
            let mask = tape.reshape(better, &[&[trials], vec![1; shape.len() - 1].as_slice()].concat());
            let kept = tape.select(mask, x, best_x);
            updates.push((best_x, kept));
            best.push(best_x);

            let mut gradient = gradient;
            if i == 0 && adam.langevin != 0.0 {
                // Hypotheses of one start share its noise, in whatever place of whatever round they stand.
                let drawn = match problem.guidance {
                    Some(_) => [&[1], &shape[1..]].concat(),
                    None => shape.clone(),
                };
                let draws = langevin::noise(tape, &drawn, counter, iterations, adam.seed);
                let draws = tape.mul(draws, noise);
                gradient = tape.add(gradient, draws);
            }
            if i == 0 {
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
            let change = tape.mul(direction, step);
            let mut moved = tape.sub(x, change);
            if let (0, Some(bounds)) = (i, bounds) {
                moved = clamp(tape, moved, bounds);
            }
            updates.push((x, moved));
        }
        updates.push((counter, next));
        let plan = Plan::new(tape, &[], &updates);
        Iteration { plan, counter, best, best_objective, best_norm_ratio, ring }
    }

    /// Runs all iterations and one more evaluation, from the problem as written into `exe`.
    pub fn run(
        &self,
        problem: &Problem,
        exe: &mut dyn Executable,
        iterations: usize,
        hooks: &mut Hooks,
    ) -> Result<Vec<Outcome>, AttackError> {
        let trials = problem.sizes.trials;
        exe.write(self.best_objective, &vec![f32::INFINITY; trials])?;
        if let Some(inputs) = problem.guidance {
            exe.write(inputs.weight, &[inputs.schedule.at(0, iterations) as f32])?;
        }
        let mut histories: Vec<Vec<f32>> = vec![Vec::with_capacity(iterations + 1); trials];
        let mut done = 0;
        let mut chunk = 1;
        while done <= iterations {
            let now = chunk.min(RING).min(iterations + 1 - done);
            let started = std::time::Instant::now();
            exe.run(now)?;
            let ring = exe.read(self.ring)?;
            for (t, history) in histories.iter_mut().enumerate() {
                history.extend((done..done + now).map(|i| ring[t * RING + i % RING]));
            }
            // About five looks a second.
            let seconds = started.elapsed().as_secs_f64();
            chunk = ((0.2 / (seconds / now as f64).max(1e-6)) as usize).max(1);
            done += now;
            let latest: Vec<f32> = histories.iter().map(|h| h[done - 1]).collect();
            hooks.iteration(done.min(iterations), iterations, &latest);
            if latest.iter().all(|l| !l.is_finite()) {
                break;
            }
        }
        let best = self.best.iter().map(|&b| exe.read(b)).collect::<Result<Vec<_>, _>>()?;
        let objectives = exe.read(self.best_objective)?;
        let ratios = exe.read(self.best_norm_ratio)?;
        let part = |v: &[f32], t: usize| v[v.len() / trials * t..v.len() / trials * (t + 1)].to_vec();
        Ok(histories
            .into_iter()
            .enumerate()
            .map(|(t, history)| Outcome {
                images: part(&best[0], t),
                label_logits: best.get(1).map(|l| part(l, t)),
                objective: objectives[t],
                norm_ratio: ratios[t],
                stopped: history.iter().position(|l| !l.is_finite()),
                history,
            })
            .collect())
    }
}

/// Compiles the iteration and returns it with its executable, inputs still to be written.
pub fn compile(
    device: &dyn Device,
    problem: &mut Problem,
    config: &AttackConfig,
    adam: Adam,
    iterations: usize,
    bounds: &[(f32, f32)],
) -> Result<(Iteration, Box<dyn Executable>), AttackError> {
    let bounds = config.clamp.then_some(bounds);
    let iteration = Iteration::new(problem, adam, iterations, bounds);
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

/// Every channel into its bounds; `x (T,B,C,H,W)`.
fn clamp(tape: &mut Tape, x: Var, bounds: &[(f32, f32)]) -> Var {
    let side = |tape: &mut Tape, pick: fn(&(f32, f32)) -> f32| {
        let values = bounds.iter().map(|b| f64::from(pick(b))).collect();
        tape.literal(&[1, 1, bounds.len(), 1, 1], values)
    };
    let (low, high) = (side(tape, |b| b.0), side(tape, |b| b.1));
    let raised = tape.max(x, low);
    tape.min(raised, high)
}
