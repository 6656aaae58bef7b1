//! One step of training as a plan: parameters, what the optimiser remembers of them and running statistics are its
//! state and stay on the device.

use super::{
    Optimiser, Recipe, Robust,
    optimiser::{Inputs, Parameter},
    robust::{Worst, starts, values},
};
use crate::{
    data::Normalisation,
    device::{Device, DeviceError, Executable, write_all},
    federated::Victim,
    nn::{Declaration, Mode, Model, Statistics, loss::cross_entropy, loss::one_hot},
    plan::Plan,
    tape::{Tape, Var},
};

/// What a step changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Parameters and buffers, in `state_dict` order.
    pub tensors: Vec<Vec<f32>>,
    /// What the optimiser remembers (momenta, then squares), of every trainable parameter in order.
    pub memories: Vec<Vec<Vec<f32>>>,
}

impl State {
    /// Before the first step.
    pub fn start(victim: &Victim, optimiser: Optimiser) -> State {
        let declared = victim.declarations.iter().zip(&victim.tensors);
        let zeros: Vec<Vec<f32>> =
            declared.filter(|(d, _)| d.trainable).map(|(_, tensor)| vec![0.0; tensor.len()]).collect();
        State { tensors: victim.tensors.clone(), memories: vec![zeros; optimiser.memories()] }
    }
}

/// What a step saw before it changed anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Mean cross entropy against the smoothed labels.
    pub loss: f32,
    /// Pictures whose own class has the largest logit.
    pub right: usize,
}

/// A compiled step for batches of one size.
pub struct Step {
    executable: Box<dyn Executable>,
    classes: usize,
    x: Var,
    targets: Var,
    optimiser: Optimiser,
    inputs: Inputs,
    loss: Var,
    right: Var,
    tensors: Vec<Var>,
    memories: Vec<Vec<Var>>,
    worst: Option<Start>,
}

/// Where the search for each picture's worst neighbour begins.
#[derive(Clone, Copy)]
struct Start {
    input: Var,
    robust: Robust,
    seed: u64,
}

/// A step before it is compiled, with what its plan names.
struct Planned {
    plan: Plan,
    x: Var,
    targets: Var,
    inputs: Inputs,
    loss: Var,
    right: Var,
    tensors: Vec<Var>,
    memories: Vec<Vec<Var>>,
    worst: Option<Start>,
}

impl Planned {
    fn new(model: &Model, recipe: &Recipe, normalisation: &Normalisation) -> Planned {
        let mut tape = Tape::new();
        let t = &mut tape;
        let ([c, h, w], batch, classes) = (model.image, recipe.batch, model.classes);
        let x = t.input(&[1, batch, c, h, w]);
        let targets = t.input(&[1, batch, classes]);
        let inputs = Inputs::new(t, recipe.optimiser);
        let smoothed = t.mul_scalar(targets, 1.0 - recipe.label_smoothing);
        let smoothed = t.add_scalar(smoothed, recipe.label_smoothing / classes as f64);
        let mut worst = None;
        let (pass, parameters) = match recipe.robust {
            None => {
                let pass = model.apply(t, x, Mode::Train);
                let parameters = pass.parameters.clone();
                (pass, parameters)
            }
            Some(robust) => {
                let Worst { pictures, start, parameters } =
                    Worst::new(t, model, Mode::Train, [x, smoothed], robust, normalisation, 1);
                worst = Some((Start { input: start, robust, seed: recipe.seed }, pictures));
                (model.apply_with(t, pictures, Mode::Train, &values(&parameters)), parameters)
            }
        };
        let loss = cross_entropy(t, pass.logits, smoothed);
        let right = right(t, pass.logits, targets);

        let trainable: Vec<_> = parameters.iter().filter(|p| p.declaration.trainable).collect();
        let values: Vec<Var> = trainable.iter().map(|p| p.stored).collect();
        let decay: Vec<f64> =
            trainable.iter().map(|p| decays(&p.declaration) * recipe.weight_decay).collect();
        // How the worst picture changes with the parameters does not count.
        let held: Vec<Var> = worst.iter().map(|&(_, pictures)| pictures).collect();
        let gradient = t.grad_holding(loss, &values, &held);
        let (mut updates, memories) = moves(t, recipe.optimiser, (&values, &gradient, &decay), inputs);
        updates.extend(running_statistics(t, &pass.statistics));

        let plan = Plan::new(t, &[loss, right], &updates);
        let tensors = parameters.iter().map(|p| p.stored).collect();
        let worst = worst.map(|(start, _)| start);
        Planned { plan, x, targets, inputs, loss, right, tensors, memories, worst }
    }
}

impl Step {
    /// What [`Step::new`] compiles.
    pub fn plan(model: &Model, recipe: &Recipe) -> Plan {
        Planned::new(model, recipe, &unnormalised(model)).plan
    }

    /// Compiles a step of this network, on pixels as they are.
    pub fn new(device: &dyn Device, model: &Model, recipe: &Recipe) -> Result<Step, DeviceError> {
        Step::on(device, model, recipe, &unnormalised(model))
    }

    /// The same on pixels that were normalised so, which a robust training must know.
    pub fn on(
        device: &dyn Device,
        model: &Model,
        recipe: &Recipe,
        normalisation: &Normalisation,
    ) -> Result<Step, DeviceError> {
        let Planned { plan, x, targets, inputs, loss, right, tensors, memories, worst } =
            Planned::new(model, recipe, normalisation);
        let (executable, classes, optimiser) = (device.compile(&plan)?, model.classes, recipe.optimiser);
        Ok(Step { executable, classes, x, targets, optimiser, inputs, loss, right, tensors, memories, worst })
    }

    /// Sets parameters, buffers and what the optimiser remembers.
    pub fn write(&mut self, state: &State) -> Result<(), DeviceError> {
        let vars = self.tensors.iter().chain(self.memories.iter().flatten());
        write_all(&mut *self.executable, vars, state.tensors.iter().chain(state.memories.iter().flatten()))
    }

    /// Parameters, buffers and what the optimiser remembers, as they are now.
    pub fn read(&mut self) -> Result<State, DeviceError> {
        let tensors = self.tensors()?;
        let memories = self.memories.iter().map(|vars| read(&mut *self.executable, vars));
        Ok(State { tensors, memories: memories.collect::<Result<_, _>>()? })
    }

    /// Parameters and buffers, in `state_dict` order.
    pub fn tensors(&mut self) -> Result<Vec<Vec<f32>>, DeviceError> {
        read(&mut *self.executable, &self.tensors)
    }

    /// Step `step`, counted from 0, on normalised images `(B,C,H,W)` and their labels, each below `K`.
    pub fn run(
        &mut self,
        images: &[f32],
        labels: &[usize],
        rate: f64,
        step: usize,
    ) -> Result<Seen, DeviceError> {
        let executable = &mut *self.executable;
        executable.write(self.x, images)?;
        executable.write(self.targets, &one_hot(labels, self.classes))?;
        if let Some(Start { input, robust, seed }) = self.worst {
            let length = images.len() / labels.len().max(1);
            let purpose = format!("worst neighbours of step {step}");
            executable.write(input, &starts(robust, seed, &purpose, labels.len(), length))?;
        }
        self.inputs.write(executable, self.optimiser, rate, step)?;
        executable.run(1)?;
        let loss = executable.read(self.loss)?[0];
        Ok(Seen { loss, right: executable.read(self.right)?[0] as usize })
    }
}

fn unnormalised(model: &Model) -> Normalisation {
    let channels = model.image[0];
    Normalisation::new(vec![0.0; channels], vec![1.0; channels]).expect("deviations of 1")
}

pub(crate) fn read(executable: &mut dyn Executable, vars: &[Var]) -> Result<Vec<Vec<f32>>, DeviceError> {
    vars.iter().map(|&var| executable.read(var)).collect()
}

/// 1 for weights, 0 for all else: pulled towards 0, a norm's scale or a bias would change what the network can say, not how
/// smoothly it says it.
pub(crate) fn decays(declaration: &Declaration) -> f64 {
    if declaration.shape.len() >= 2 { 1.0 } else { 0.0 }
}

/// How the optimiser moves these values with these gradients and weight decays: the updates, and what it remembers of each.
pub(crate) fn moves(
    tape: &mut Tape,
    optimiser: Optimiser,
    (values, gradient, decay): (&[Var], &[Var], &[f64]),
    inputs: Inputs,
) -> (Vec<(Var, Var)>, Vec<Vec<Var>>) {
    let mut updates = vec![];
    let mut memories = vec![vec![]; optimiser.memories()];
    for ((&value, &gradient), &decay) in values.iter().zip(gradient).zip(decay) {
        let shape = tape.shape(value).to_vec();
        let own: Vec<Var> = memories.iter().map(|_| tape.input(&shape)).collect();
        let parameter = Parameter { value, gradient, decay };
        updates.extend(optimiser.updates(tape, parameter, &own, inputs));
        memories.iter_mut().zip(own).for_each(|(all, own)| all.push(own));
    }
    (updates, memories)
}

/// PyTorch's `BatchNorm2d` in train mode: r ← 0.9·r + 0.1·s, with the unbiased variance.
pub(crate) fn running_statistics(tape: &mut Tape, statistics: &[Statistics]) -> Vec<(Var, Var)> {
    let mut updates = Vec::new();
    for layer in statistics {
        let unbiased = layer.count as f64 / (layer.count.max(2) - 1) as f64;
        let pairs =
            [(layer.running_mean, layer.mean, 1.0), (layer.running_variance, layer.variance, unbiased)];
        for (running, new, factor) in pairs {
            let old = tape.mul_scalar(running, 1.0 - layer.momentum);
            let new = tape.mul_scalar(new, layer.momentum * factor);
            updates.push((running, tape.add(old, new)));
        }
    }
    updates
}

/// How many pictures' own class has the largest logit: logits and one-hot targets `(1,B,K)`, result `(1)`.
fn right(tape: &mut Tape, logits: Var, targets: Var) -> Var {
    let own = tape.mul(logits, targets);
    let own = tape.sum(own, &[2]);
    let largest = tape.max_over(logits, &[2]);
    let right = tape.equal(own, largest);
    tape.sum_per_trial(right)
}
