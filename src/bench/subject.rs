//! What is measured: a victim, a batch, and how many trials at once.

use std::fmt;

use serde::Serialize;

use super::{BenchError, Inputs, Iteration, Spread, TrainingStep, sample};
use crate::{
    attack::preset::Preset,
    device::Device,
    federated::Request,
    nn::{Model, Options, options::Stem},
    plan::Totals,
};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// One iteration of an attack, `ig` where nobody says otherwise: forward, double backward, cosine and total variation,
    /// signed Adam.
    Attack,
    /// One step of SGD with Nesterov's momentum, batch norm in train mode.
    Training,
}

/// Something to measure.
#[derive(Clone, Debug)]
pub struct Subject {
    /// An attack's iteration or a training's step.
    pub work: Work,
    /// Whose last stage's iterations are measured: one of those that match gradients by Adam.
    pub preset: Preset,
    /// Which network.
    pub victim: Request,
    /// `B`
    pub batch: usize,
    /// `T`; 1 for training.
    pub trials: usize,
}

/// What a subject came to. Times are in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// An attack's iteration or a training's step.
    pub work: Work,
    /// Of an attack.
    pub preset: Option<Preset>,
    /// The victim's, as in the registry.
    pub architecture: String,
    /// As in `stem=cifar`; empty where all is the architecture's own.
    pub options: String,
    /// `[C, H, W]`
    pub image: [usize; 3],
    /// `B`
    pub batch: usize,
    /// `T`; 1 for training.
    pub trials: usize,
    /// Of one iteration.
    pub seconds: Spread,
    /// Median by trials.
    pub seconds_per_trial: f64,
    /// Building the graph with its derivatives.
    pub tape_seconds: Option<f64>,
    /// `Plan::new`; for training graph and compilation are part of it.
    pub plan_seconds: f64,
    /// Making the plan's kernels; absent for training.
    pub compile_seconds: Option<f64>,
    /// Of one iteration; not known for training.
    pub totals: Option<Totals>,
}

/// The victims that every report is about.
pub fn standard() -> Vec<Subject> {
    let cifar = Options { stem: Some(Stem::Cifar), ..Options::default() };
    let own = Options::default();
    let subject = |work, name: &str, options: &Options, batch, trials| {
        let victim = Request { options: options.clone(), ..Request::named(name) };
        Subject { work, preset: Preset::Ig, victim, batch, trials }
    };
    vec![
        subject(Work::Attack, "lenet-zhu", &own, 1, 1),
        subject(Work::Attack, "lenet-zhu", &own, 8, 1),
        subject(Work::Attack, "lenet-zhu", &own, 1, 64),
        subject(Work::Attack, "convnet64", &own, 1, 1),
        subject(Work::Attack, "convnet64", &own, 4, 1),
        subject(Work::Attack, "resnet18", &cifar, 1, 1),
        subject(Work::Attack, "resnet18", &cifar, 4, 1),
        subject(Work::Attack, "resnet20", &own, 1, 16),
        subject(Work::Training, "resnet20", &own, 128, 1),
    ]
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.victim.name)?;
        if self.victim.options != Options::default() {
            write!(f, " {}", self.victim.options)?;
        }
        write!(f, " B={}", self.batch)?;
        if self.work == Work::Attack && self.preset != Preset::Ig {
            write!(f, " {}", self.preset)?;
        }
        match (self.work, self.trials) {
            (Work::Training, _) => f.write_str(" training"),
            (Work::Attack, 1) => Ok(()),
            (Work::Attack, trials) => write!(f, " T={trials}"),
        }
    }
}

/// What a subject runs, compiled.
pub struct Ready<'a> {
    subject: &'a Subject,
    model: &'a Model,
    running: Running<'a>,
}

enum Running<'a> {
    Attack(Box<Iteration>),
    Training(TrainingStep<'a>),
}

impl Subject {
    /// Builds, plans and compiles it.
    pub fn ready<'a>(&'a self, device: &dyn Device, inputs: &'a Inputs) -> Result<Ready<'a>, BenchError> {
        let running = match self.work {
            Work::Attack => Running::Attack(Box::new(Iteration::new(device, inputs)?)),
            Work::Training => Running::Training(TrainingStep::new(device, inputs)?),
        };
        Ok(Ready { subject: self, model: &inputs.victim.model, running })
    }

    /// Measures for about `seconds`, after compilation and warm-up.
    pub fn measure(
        &self,
        device: &dyn Device,
        inputs: &Inputs,
        seconds: f64,
    ) -> Result<Measured, BenchError> {
        let mut ready = self.ready(device, inputs)?;
        let spread = sample(seconds, |n| ready.run(n))?;
        Ok(ready.measured(spread))
    }
}

impl Ready<'_> {
    /// Runs so many iterations and waits for the last.
    pub fn run(&mut self, iterations: usize) -> Result<(), BenchError> {
        match &mut self.running {
            Running::Attack(iteration) => iteration.run(iterations),
            Running::Training(step) => step.run(iterations),
        }
    }

    /// What it came to, with these times of an iteration.
    pub fn measured(&self, seconds: Spread) -> Measured {
        let (timing, totals) = match &self.running {
            Running::Attack(iteration) => {
                let [tape, plan, compile] = iteration.seconds;
                ((Some(tape), plan, Some(compile)), Some(iteration.totals()))
            }
            Running::Training(step) => ((None, step.seconds, None), None),
        };
        Measured {
            work: self.subject.work,
            preset: (self.subject.work == Work::Attack).then_some(self.subject.preset),
            architecture: self.model.name.clone(),
            options: self.model.options.to_string(),
            image: self.model.image,
            batch: self.subject.batch,
            trials: self.subject.trials,
            seconds_per_trial: seconds.median / self.subject.trials as f64,
            seconds,
            tape_seconds: timing.0,
            plan_seconds: timing.1,
            compile_seconds: timing.2,
            totals,
        }
    }
}
