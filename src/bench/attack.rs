//! One iteration of an attack, timed and checked.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{BenchError, Inputs};
use crate::{
    attack::{
        adam::{self, Adam},
        config::{AttackConfig, Optimiser, Sought},
        problem::{Problem, Scene, Sizes},
        setting::Trial,
        sought::Seeking,
        unknown::{Unknown, of_all, write_constants},
    },
    data::Normalisation,
    device::{Device, Executable},
    federated::Protocol,
    nn::loss::one_hot,
    plan::{Plan, Totals},
    tape::Var,
    tensor_file::Tensor,
};

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
        let LastStage { config, unknown, .. } = &LastStage::of(inputs);
        let protocol = &Protocol::default();
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
        Problem::new(&scene, &**unknown, sizes)
    }

    /// The plan of one iteration with Adam's step and the clamp to valid pixels, which the tape gains.
    pub fn plan(inputs: &Inputs, problem: &mut Problem) -> adam::Iteration {
        let LastStage { config, unknown, optimiser } = LastStage::of(inputs);
        let adam = Adam::of(optimiser, 0).expect("only presets with Adam are taken");
        adam::Iteration::new(problem, &*unknown, adam, config.iterations)
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
        let all = LastStage::of(inputs).config.iterations;
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

/// The last of the preset's stages, which takes most of its time.
struct LastStage {
    config: AttackConfig,
    unknown: Box<dyn Unknown>,
    optimiser: Optimiser,
}

impl LastStage {
    /// As for pictures under CIFAR-10's normalisation, and by a generator that nobody trained.
    fn of(inputs: &Inputs) -> LastStage {
        let name = inputs.preset.name();
        let config = AttackConfig::preset(name, inputs.victim.model.depth()).expect("the preset exists");
        let image = inputs.victim.image_shape();
        let normalisation = &Normalisation::default().for_channels(image[0]);
        let seeking = Seeking {
            config: &config,
            batch: inputs.batch,
            image,
            normalisation,
            generator: None,
            seed: 0,
            labelled: None,
        };
        let mut parts = seeking.parts().expect("a generator that nobody trained is made to fit");
        let last = parts.pop().expect("an attack has a stage");
        let (unknown, optimiser) = ((last.unknown)(), last.optimiser);
        drop((last, parts));
        LastStage { config, unknown, optimiser }
    }
}

fn write(problem: &Problem, inputs: &Inputs, executable: &mut dyn Executable) -> Result<(), BenchError> {
    let LastStage { unknown, config, .. } = LastStage::of(inputs);
    if config.sought == Sought::Pixels {
        executable.write(problem.x, &inputs.x)?;
    } else {
        let trial = |restart| Trial { target: 0, hypothesis: 0, restart };
        let starts: Vec<_> = (0..inputs.trials).map(|t| unknown.start(0, trial(t))).collect();
        for (i, moved) in problem.variables.iter().enumerate() {
            executable.write(moved.var, &of_all(&starts, i))?;
        }
        write_constants(&*unknown, &problem.constants, executable)?;
    }
    executable.write(problem.labels, &one_hot(&inputs.labels, inputs.victim.model.classes))?;
    for (parameter, values) in problem.parameters.iter().zip(&inputs.victim.tensors) {
        executable.write(parameter.stored, values)?;
    }
    for (&input, values) in problem.observed.iter().zip(&inputs.target) {
        executable.write(input, values)?;
    }
    Ok(())
}
