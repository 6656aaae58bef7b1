//! One step of training, timed and checked.

use std::{collections::BTreeMap, time::Instant};

use super::{BenchError, Inputs};
use crate::{
    device::Device,
    tensor_file::Tensor,
    train::{Optimiser, Recipe, State, Step},
};

/// η of every step.
const RATE: f64 = 0.1;
const OPTIMISER: Optimiser = Optimiser::Sgd { momentum: 0.9, nesterov: true };

/// A compiled step with its state written.
pub struct TrainingStep<'a> {
    inputs: &'a Inputs,
    step: Step,
    /// Seconds for the graph, its plan and the device's compilation.
    pub seconds: f64,
}

impl<'a> TrainingStep<'a> {
    /// Builds, plans and compiles a step, and writes its inputs.
    pub fn new(device: &dyn Device, inputs: &'a Inputs) -> Result<TrainingStep<'a>, BenchError> {
        let recipe = Recipe { batch: inputs.batch, optimiser: OPTIMISER, ..Recipe::default() };
        let started = Instant::now();
        let mut step = Step::new(device, &inputs.victim.model, &recipe)?;
        let seconds = started.elapsed().as_secs_f64();
        step.write(&State::start(&inputs.victim, OPTIMISER))?;
        Ok(TrainingStep { inputs, step, seconds })
    }

    /// Runs so many steps on the same batch, each with its images written and its loss read.
    pub fn run(&mut self, steps: usize) -> Result<(), BenchError> {
        for _ in 0..steps {
            self.step.run(&self.inputs.x, &self.inputs.labels, RATE, 0)?;
        }
        Ok(())
    }

    /// What the first step gives: `loss (1)` before it, and after it `after.NAME` for every tensor of the victim and
    /// `momentum.NAME` for every trainable one, which is its gradient with the weight decay.
    pub fn check(device: &dyn Device, inputs: &Inputs) -> Result<BTreeMap<String, Tensor>, BenchError> {
        let mut step = TrainingStep::new(device, inputs)?.step;
        let seen = step.run(&inputs.x, &inputs.labels, RATE, 0)?;
        let State { tensors, memories } = step.read()?;
        let mut found = BTreeMap::from([("loss".into(), Tensor { shape: vec![1], data: vec![seen.loss] })]);
        for (declaration, data) in inputs.victim.declarations.iter().zip(tensors) {
            let shape = declaration.shape.clone();
            found.insert(format!("after.{}", declaration.name), Tensor { shape, data });
        }
        for (spec, data) in inputs.victim.gradient_specs().into_iter().zip(memories.concat()) {
            found.insert(format!("momentum.{}", spec.name), Tensor { shape: spec.shape, data });
        }
        Ok(found)
    }
}
