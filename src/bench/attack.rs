//! One iteration of the `ig` attack, timed and checked.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{BenchError, Inputs};
use crate::{
    attack::{
        adam::{self, Adam},
        config::AttackConfig,
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    device::{Device, Executable},
    federated::Protocol,
    nn::loss::one_hot,
    plan::{Plan, Totals},
    tape::Var,
    tensor_file::Tensor,
};

const PRESET: &str = "ig";

/// A compiled iteration with its inputs written.
pub struct Iteration {
    problem: Problem,
    iteration: adam::Iteration,
    executable: Box<dyn Executable>,
    /// Iterations that the learning rate's table has left.
    left: usize,
    all: usize,
    /// Seconds for the graph with its derivatives, for `Plan::new`, and for the device to compile.
    pub seconds: [f64; 3],
}

impl Iteration {
    /// The graph with its derivatives, one target for each trial.
    pub fn graph(inputs: &Inputs) -> Problem {
        let (config, protocol) = (&config(inputs), &Protocol::default());
        let scene = Scene {
            model: &inputs.victim.model,
            protocol,
            config,
            views: &[],
            weighted: false,
            scaled: false,
        };
        let sizes = Sizes {
            shared_target: inputs.trials == 1,
            groups: (0..inputs.trials).collect(),
            ..Sizes::one_target(inputs.trials, inputs.batch, false)
        };
        Problem::new(&scene, &pixels(inputs), sizes)
    }

    /// The plan of one iteration with Adam's step and the clamp to valid pixels, which the tape gains.
    pub fn plan(inputs: &Inputs, problem: &mut Problem) -> adam::Iteration {
        let config = config(inputs);
        let adam = Adam::of(config.optimiser, 0).expect("the preset uses Adam");
        adam::Iteration::new(problem, &pixels(inputs), adam, config.iterations)
    }

    /// Builds, plans and compiles an iteration, and writes its inputs.
    pub fn new(device: &dyn Device, inputs: &Inputs) -> Result<Iteration, BenchError> {
        let started = Instant::now();
        let mut problem = Iteration::graph(inputs);
        let graph = started.elapsed();
        let iteration = Iteration::plan(inputs, &mut problem);
        let plan = started.elapsed();
        let mut executable = device.compile(&iteration.plan)?;
        let seconds = [graph, plan - graph, started.elapsed() - plan].map(|d: Duration| d.as_secs_f64());
        write(&problem, inputs, &mut *executable)?;
        executable.write(iteration.best_objective, &vec![f32::INFINITY; inputs.trials])?;
        let all = config(inputs).iterations;
        Ok(Iteration { problem, iteration, executable, left: all, all, seconds })
    }

    /// What one iteration computes and moves.
    pub fn totals(&self) -> Totals {
        self.iteration.plan.totals()
    }

    /// Runs so many iterations and waits for the last. Goes on from where it stands; the learning rate's schedule
    /// begins again when it has run out.
    pub fn run(&mut self, iterations: usize) -> Result<(), BenchError> {
        let mut wanted = iterations;
        while wanted > 0 {
            if self.left == 0 {
                self.executable.write(self.iteration.counter, &[0.0])?;
                self.left = self.all;
            }
            let now = wanted.min(self.left);
            self.executable.run(now)?;
            (wanted, self.left) = (wanted - now, self.left - now);
        }
        // Reading waits for everything before it.
        self.executable.read(self.iteration.best_objective)?;
        Ok(())
    }

    /// What one evaluation at the inputs gives: `total (T)`, the objective with its priors, `objective (T)` without
    /// them, `gradient (T,B,C,H,W)`, which is ∂total/∂x, and from the plan that [`Iteration::run`] replays
    /// `iteration.objective (T)` and `iteration.x`, the pictures after its first iteration.
    pub fn check(device: &dyn Device, inputs: &Inputs) -> Result<BTreeMap<String, Tensor>, BenchError> {
        let problem = Iteration::graph(inputs);
        let kept = [problem.total, problem.objective, problem.gradients[0]];
        let mut executable = device.compile(&Plan::new(&problem.tape, &kept, &[]))?;
        write(&problem, inputs, &mut *executable)?;
        executable.run(1)?;
        let mut found = BTreeMap::new();
        for (name, var) in ["total", "objective", "gradient"].into_iter().zip(kept) {
            found.insert(name.to_string(), tensor(&problem, var, executable.read(var)?));
        }
        drop(executable);
        let mut whole = Iteration::new(device, inputs)?;
        whole.executable.run(1)?;
        let vars =
            [("iteration.objective", whole.iteration.best_objective), ("iteration.x", whole.problem.x)];
        for (name, var) in vars {
            found.insert(name.to_string(), tensor(&whole.problem, var, whole.executable.read(var)?));
        }
        Ok(found)
    }
}

fn tensor(problem: &Problem, var: Var, data: Vec<f32>) -> Tensor {
    Tensor { shape: problem.tape.shape(var).to_vec(), data }
}

fn config(inputs: &Inputs) -> AttackConfig {
    AttackConfig::preset(PRESET, inputs.victim.model.depth()).expect("the preset exists")
}

fn pixels(inputs: &Inputs) -> Pixels {
    let free = Pixels::free(inputs.batch, inputs.victim.image_shape());
    Pixels { clamp: config(inputs).clamp, ..free }
}

fn write(problem: &Problem, inputs: &Inputs, executable: &mut dyn Executable) -> Result<(), BenchError> {
    executable.write(problem.x, &inputs.x)?;
    executable.write(problem.labels, &one_hot(&inputs.labels, inputs.victim.model.classes))?;
    for (parameter, values) in problem.parameters.iter().zip(&inputs.victim.tensors) {
        executable.write(parameter.stored, values)?;
    }
    for (&input, values) in problem.observed.iter().zip(&inputs.target) {
        executable.write(input, values)?;
    }
    Ok(())
}
