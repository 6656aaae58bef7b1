//! One step of stochastic gradient descent as a plan: parameters, momenta and running statistics are its
//! state and stay on the device.

use super::Recipe;
use crate::{
    device::{Device, DeviceError, Executable},
    federated::MOMENTUM,
    nn::{Declaration, Mode, Model, Pass, loss::cross_entropy, loss::one_hot},
    plan::Plan,
    tape::{Tape, Var},
};

/// What a step changes.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Parameters and buffers, in `state_dict` order.
    pub tensors: Vec<Vec<f32>>,
    /// Of every trainable parameter, in order.
    pub momenta: Vec<Vec<f32>>,
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
    rate: Var,
    loss: Var,
    right: Var,
    tensors: Vec<Var>,
    momenta: Vec<Var>,
}

impl Step {
    pub fn new(device: &dyn Device, model: &Model, recipe: &Recipe) -> Result<Step, DeviceError> {
        let mut tape = Tape::new();
        let t = &mut tape;
        let ([c, h, w], batch, classes) = (model.image, recipe.batch, model.classes);
        let x = t.input(&[1, batch, c, h, w]);
        let targets = t.input(&[1, batch, classes]);
        let rate = t.input(&[1]);
        let pass = model.apply(t, x, Mode::Train);

        let smoothed = t.mul_scalar(targets, 1.0 - recipe.label_smoothing);
        let smoothed = t.add_scalar(smoothed, recipe.label_smoothing / classes as f64);
        let loss = cross_entropy(t, pass.logits, smoothed);
        let right = right(t, pass.logits, targets);

        let trainable: Vec<(&Declaration, Var)> = pass
            .parameters
            .iter()
            .filter(|p| p.declaration.trainable)
            .map(|p| (&p.declaration, p.stored))
            .collect();
        let gradient = t.grad(loss, &trainable.iter().map(|p| p.1).collect::<Vec<_>>());
        let (mut updates, mut momenta) = (vec![], vec![]);
        for ((declaration, value), gradient) in trainable.into_iter().zip(gradient) {
            let decay = if decays(declaration) { recipe.weight_decay } else { 0.0 };
            let shape = t.shape(value).to_vec();
            let momentum = t.input(&shape);
            updates.extend(descend(t, recipe, decay, rate, [value, momentum, gradient]));
            momenta.push(momentum);
        }
        updates.extend(running_statistics(t, &pass));

        let executable = device.compile(&Plan::new(t, &[loss, right], &updates))?;
        let tensors = pass.parameters.iter().map(|p| p.stored).collect();
        Ok(Step { executable, classes, x, targets, rate, loss, right, tensors, momenta })
    }

    pub fn write(&mut self, state: &State) -> Result<(), DeviceError> {
        let vars = self.tensors.iter().chain(&self.momenta);
        let mut values = state.tensors.iter().chain(&state.momenta);
        vars.zip(&mut values).try_for_each(|(&var, value)| self.executable.write(var, value))
    }

    pub fn read(&mut self) -> Result<State, DeviceError> {
        Ok(State { tensors: self.tensors()?, momenta: read(&mut *self.executable, &self.momenta)? })
    }

    /// Parameters and buffers, in `state_dict` order.
    pub fn tensors(&mut self) -> Result<Vec<Vec<f32>>, DeviceError> {
        read(&mut *self.executable, &self.tensors)
    }

    /// One step on normalised images `(B,C,H,W)` and their labels, each below `K`.
    pub fn run(&mut self, images: &[f32], labels: &[usize], rate: f64) -> Result<Seen, DeviceError> {
        let executable = &mut *self.executable;
        executable.write(self.x, images)?;
        executable.write(self.targets, &one_hot(labels, self.classes))?;
        executable.write(self.rate, &[rate as f32])?;
        executable.run(1)?;
        let loss = executable.read(self.loss)?[0];
        Ok(Seen { loss, right: executable.read(self.right)?[0] as usize })
    }
}

fn read(executable: &mut dyn Executable, vars: &[Var]) -> Result<Vec<Vec<f32>>, DeviceError> {
    vars.iter().map(|&var| executable.read(var)).collect()
}

/// Weights alone: pulled towards 0, a norm's scale or a bias would change what the network can say, not how
/// smoothly it says it.
fn decays(declaration: &Declaration) -> bool {
    declaration.shape.len() >= 2
}

/// PyTorch's `SGD`: m ← μm + (g + λθ), θ ← θ − η·m, or with Nesterov's momentum θ ← θ − η·(g + λθ + μm).
fn descend(
    tape: &mut Tape,
    recipe: &Recipe,
    decay: f64,
    rate: Var,
    [value, momentum, gradient]: [Var; 3],
) -> [(Var, Var); 2] {
    let pull = tape.mul_scalar(value, decay);
    let force = tape.add(gradient, pull);
    let kept = tape.mul_scalar(momentum, recipe.momentum);
    let next = tape.add(kept, force);
    let direction = if recipe.nesterov {
        let ahead = tape.mul_scalar(next, recipe.momentum);
        tape.add(force, ahead)
    } else {
        next
    };
    let ones = vec![1; tape.shape(value).len()];
    let rate = tape.reshape(rate, &ones);
    let change = tape.mul(direction, rate);
    [(value, tape.sub(value, change)), (momentum, next)]
}

/// PyTorch's `BatchNorm2d` in train mode: r ← 0.9·r + 0.1·s, with the unbiased variance.
fn running_statistics(tape: &mut Tape, pass: &Pass) -> Vec<(Var, Var)> {
    let mut updates = Vec::new();
    for layer in &pass.statistics {
        let unbiased = layer.count as f64 / (layer.count.max(2) - 1) as f64;
        let pairs =
            [(layer.running_mean, layer.mean, 1.0), (layer.running_variance, layer.variance, unbiased)];
        for (running, new, factor) in pairs {
            let old = tape.mul_scalar(running, 1.0 - MOMENTUM);
            let new = tape.mul_scalar(new, MOMENTUM * factor);
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
