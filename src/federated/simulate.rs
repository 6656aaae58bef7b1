//! The client's training on a tape, for the client itself and for the eavesdropper who imitates it.

use super::{LocalOptimiser, Protocol, optimiser::Memory};
use crate::{
    nn::{Mode, Model, Parameter, Pass, Statistics},
    tape::{Tape, Var},
};

/// A client's training on a tape.
pub struct Simulation {
    /// The model's tensors before training, in `state_dict` order.
    pub parameters: Vec<Parameter>,
    /// The client's loss in the first step, `(T)`.
    pub loss: Var,
    /// Mean over all steps of where every trainable parameter goes, `(T,…)` each: what is sent, divided by
    /// [`Protocol::scale`]. Of SGD, the mean gradient.
    pub gradient: Vec<Var>,
    /// Buffers after training, `(T,…)` each, mean over the clients, weighted by their pictures.
    pub buffers: Vec<Var>,
    /// What every batch norm sees of all the pictures at once, before training.
    pub statistics: Vec<Statistics>,
    /// What the last layer is given for each picture, before training, `(T,B,d)`.
    pub features: Var,
    /// Of each picture before training, `(T,B,K)`.
    pub logits: Var,
}

/// Trains on `x (T,B,C,H,W)` with targets `(T,B,K)` as the protocol says, which was checked for `B`, the number of all
/// clients' pictures.
pub fn simulate(tape: &mut Tape, model: &Model, protocol: &Protocol, x: Var, targets: Var) -> Simulation {
    let whole = model.apply(tape, x, protocol.mode);
    let server: Vec<Var> = whole.parameters.iter().map(|p| p.value).collect();
    let clients = protocol.clients.slices(tape.shape(x)[1]);

    let (mut losses, mut all, mut buffers) = (vec![], vec![], vec![]);
    let (optimiser, decay) =
        protocol.local.map_or((LocalOptimiser::Sgd, 0.0), |l| (l.optimiser, l.weight_decay));
    for client in &clients {
        let mut values = server.clone();
        let mut memory = Memory::new(tape, optimiser, decay, trainable(&whole.parameters, &values).len());
        let weighted = |tape: &mut Tape, v: Var| match client.weight {
            1 => v,
            weight => tape.mul_scalar(v, weight as f64),
        };
        for (step, (start, count)) in protocol.batches(client.count).into_iter().enumerate() {
            let start = client.start + start;
            let [x, targets] = [x, targets].map(|v| tape.narrow(v, 1, start, count));
            // The plan merges this pass with `whole` where they are the same.
            let pass = model.apply_with(tape, x, protocol.mode, &values);
            let loss = protocol.loss.of(tape, pass.logits, targets);
            let weights = trainable(&whole.parameters, &values);
            let gradient = match protocol.example_clip {
                None => tape.grad(loss, &weights),
                Some(limit) => {
                    clipped(tape, model, protocol, x, targets, (&whole.parameters, &values), limit)
                }
            };
            if step == 0 {
                losses.push(vec![weighted(tape, loss)]);
            }
            let directions = memory.directions(tape, &weights, &gradient);
            values = advance(tape, protocol, &whole.parameters, &values, &directions, &pass);
            all.push(directions.into_iter().map(|v| weighted(tape, v)).collect());
        }
        let kept = whole.parameters.iter().zip(values).filter(|(p, _)| !p.declaration.trainable);
        buffers.push(kept.map(|(_, value)| weighted(tape, value)).collect());
    }
    let weights = clients.iter().map(|client| client.weight).sum::<usize>() as f64;
    let gain = protocol.clients.weighted(tape.shape(x)[1], |each| protocol.gain(each));
    Simulation {
        loss: over(tape, &losses, weights)[0],
        gradient: over(tape, &all, weights * gain),
        buffers: over(tape, &buffers, weights),
        parameters: whole.parameters,
        statistics: whole.statistics,
        features: whole.features,
        logits: whole.logits,
    }
}

fn trainable(parameters: &[Parameter], values: &[Var]) -> Vec<Var> {
    let pairs = parameters.iter().zip(values);
    pairs.filter(|(p, _)| p.declaration.trainable).map(|(_, &v)| v).collect()
}

/// One step of the parameters, and batch norm's of the buffers.
fn advance(
    tape: &mut Tape,
    protocol: &Protocol,
    parameters: &[Parameter],
    values: &[Var],
    directions: &[Var],
    pass: &Pass,
) -> Vec<Var> {
    let rate = protocol.local.map_or(0.0, |l| l.learning_rate);
    let mut directions = directions.iter();
    let mut running = pass.statistics.iter().flat_map(|s| {
        let unbiased = s.count as f64 / (s.count.max(2) - 1) as f64;
        [(s.mean, 1.0, s.momentum), (s.variance, unbiased, s.momentum)]
    });
    let mut next = |(p, &value): (&Parameter, &Var)| {
        if p.declaration.trainable {
            let change = tape.mul_scalar(*directions.next().expect("one a parameter"), -rate);
            return tape.add(value, change);
        }
        let (new, factor, momentum) = running.next().expect("every buffer is a running statistic");
        match protocol.mode {
            Mode::Eval => value,
            Mode::Train => {
                let new = tape.mul_scalar(new, momentum * factor);
                let old = tape.mul_scalar(value, 1.0 - momentum);
                tape.add(old, new)
            }
        }
    };
    parameters.iter().zip(values).map(&mut next).collect()
}

/// Mean over the pictures of each one's gradient, scaled down to the norm `limit` where it is longer.
fn clipped(
    tape: &mut Tape,
    model: &Model,
    protocol: &Protocol,
    x: Var,
    targets: Var,
    (parameters, values): (&[Parameter], &[Var]),
    limit: f64,
) -> Vec<Var> {
    let examples: Vec<Vec<Var>> = (0..tape.shape(x)[1])
        .map(|i| {
            let [x, targets] = [x, targets].map(|v| tape.narrow(v, 1, i, 1));
            let pass = model.apply_with(tape, x, protocol.mode, values);
            let loss = protocol.loss.of(tape, pass.logits, targets);
            let gradient = tape.grad(loss, &trainable(parameters, values));
            clip(tape, &gradient, limit)
        })
        .collect();
    mean(tape, &examples)
}

/// A gradient `(T,…)` scaled down to the norm `limit` where it is longer, each trial for itself.
pub fn clip(tape: &mut Tape, gradient: &[Var], limit: f64) -> Vec<Var> {
    let mut total = None;
    for &g in gradient {
        let square = tape.mul(g, g);
        let sum = tape.sum_per_trial(square);
        total = Some(total.map_or(sum, |t| tape.add(t, sum)));
    }
    let Some(total) = total else { return vec![] };
    // limit / max(norm, limit)
    let least = tape.scalar(limit * limit);
    let square = tape.max(total, least);
    let inverse = tape.rsqrt(square);
    let factor = tape.mul_scalar(inverse, limit);
    let scale = |&g: &Var| {
        let rank = tape.shape(g).len();
        let trials = tape.shape(g)[0];
        let factor = tape.reshape(factor, &[&[trials], vec![1; rank - 1].as_slice()].concat());
        tape.mul(g, factor)
    };
    gradient.iter().map(scale).collect()
}

/// Mean over lists of the same tensors.
fn mean(tape: &mut Tape, lists: &[Vec<Var>]) -> Vec<Var> {
    over(tape, lists, lists.len() as f64)
}

/// Their sum, divided.
fn over(tape: &mut Tape, lists: &[Vec<Var>], divisor: f64) -> Vec<Var> {
    let total = |i: usize| {
        let sum = lists[1..].iter().fold(lists[0][i], |sum, list| tape.add(sum, list[i]));
        if divisor == 1.0 { sum } else { tape.mul_scalar(sum, 1.0 / divisor) }
    };
    (0..lists[0].len()).map(total).collect()
}
