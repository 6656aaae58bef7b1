//! One step of adversarial training as a plan: the discriminator learns from pictures of the data and from made ones, then
//! the generator learns from the discriminator as it is now (Goodfellow 2014, as Radford 2016 has it), and an average of the
//! generator follows (Yazıcı 2019).

use crate::{
    device::{Device, DeviceError, Executable, write_all},
    nn::{
        Declaration, drawn,
        generator::{Dcgan, Discriminator, Generator, apply_and_watch, declarations, spectral},
        loss::binary_cross_entropy,
    },
    plan::Plan,
    random,
    tape::{Tape, Var},
    train::{
        Optimiser, State,
        optimiser::Inputs,
        step::{moves, read, running_statistics},
    },
};

/// Share of the average that stays in a step, once it is long.
const KEPT: f64 = 0.999;
/// Before the names of their tensors, in a checkpoint.
const OWNERS: [&str; 3] = ["generator.", "discriminator.", "average."];

/// The generator, what it is trained against, and how.
pub struct Adversaries {
    /// Makes pictures.
    pub generator: Dcgan,
    /// Tells them from those of the data.
    pub discriminator: Discriminator,
    /// Pictures of the data in a step, and as many made ones.
    pub batch: usize,
    /// Of both networks.
    pub optimiser: Optimiser,
}

impl Adversaries {
    /// The generator's, the discriminator's, and the generator's again.
    fn own(&self) -> [Vec<Declaration>; 3] {
        let made = declarations(&self.generator);
        let average = made.iter().map(|d| Declaration { trainable: false, ..d.clone() }).collect();
        [made, self.discriminator.declarations(), average]
    }

    /// All tensors that a step changes, with the names that a checkpoint gives them.
    pub fn declarations(&self) -> Vec<Declaration> {
        let owned = OWNERS.into_iter().zip(self.own());
        let named = |(owner, own): (&str, Vec<Declaration>)| {
            own.into_iter()
                .map(|d| Declaration { name: format!("{owner}{}", d.name), ..d })
                .collect::<Vec<_>>()
        };
        owned.flat_map(named).collect()
    }

    /// Before the first step.
    pub fn start(&self, seed: u64) -> State {
        let [made, judging, _] = self.own();
        let generator = drawn(&made, &mut random::generator(seed, "generator"));
        let raw = drawn(&judging, &mut random::generator(seed, "discriminator"));
        let discriminator = spectral::settled(&judging, raw);
        let tensors = [generator.clone(), discriminator, generator].concat();
        let declared = self.declarations();
        let trainable = declared.iter().zip(&tensors).filter(|(d, _)| d.trainable);
        let zeros: Vec<Vec<f32>> = trainable.map(|(_, tensor)| vec![0.0; tensor.len()]).collect();
        State { tensors, memories: vec![zeros; self.optimiser.memories()] }
    }

    /// Tensors of the averaged generator among those of a state.
    pub fn average<'s>(&self, state: &'s State) -> &'s [Vec<f32>] {
        &state.tensors[state.tensors.len() - declarations(&self.generator).len()..]
    }
}

/// What a step shows.
pub struct Shown<'a> {
    /// Of the data: `(B,C,H,W)` in [−1, 1].
    pub pictures: &'a [f32],
    /// `(B,Z)` for made ones.
    pub latent: &'a [f32],
    /// `(B,K)` of both, `(B,1)` where there are no classes.
    pub shares: &'a [f32],
}

/// What a step saw before it changed anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Cross entropy of the generator, whose pictures should look like the data's.
    pub generator: f32,
    /// Of the discriminator, the mean of both kinds of pictures.
    pub discriminator: f32,
    /// Made pictures that it said were made.
    pub recognised: usize,
}

/// A compiled step.
pub struct Step {
    executable: Box<dyn Executable>,
    optimiser: Optimiser,
    planned: Planned,
}

/// What its plan names.
struct Planned {
    plan: Plan,
    pictures: Var,
    latent: Var,
    shares: Var,
    inputs: Inputs,
    /// `(1)`: share of the average that stays.
    kept: Var,
    /// The generator's loss, the discriminator's, how many it recognised.
    seen: [Var; 3],
    tensors: Vec<Var>,
    memories: Vec<Vec<Var>>,
}

impl Planned {
    fn new(adversaries: &Adversaries) -> Planned {
        let Adversaries { generator, discriminator, batch, optimiser } = adversaries;
        let own = adversaries.own();
        let mut tape = Tape::new();
        let t = &mut tape;
        let [c, h, w] = discriminator.image;
        let pictures = t.input(&[1, *batch, c, h, w]);
        let latent = t.input(&[1, *batch, generator.latent()]);
        let shares = t.input(&[1, *batch, discriminator.classes.max(1)]);
        let inputs = Inputs::new(t, *optimiser);
        let kept = t.input(&[1]);
        let [made, judging, average] = [0, 1, 2].map(|owner: usize| {
            own[owner].iter().map(|d| t.input(&[&[1], &d.shape[..]].concat())).collect::<Vec<Var>>()
        });

        let (fake, statistics) = apply_and_watch(generator, t, latent, &made);
        let of_data = discriminator.apply(t, pictures, shares, &judging);
        let of_fake = discriminator.apply(t, fake, shares, &judging);
        let [one, zero] = [1.0, 0.0].map(|v| t.full(&[1, *batch, 1], v));
        let [a, b] = [(of_data, one), (of_fake, zero)].map(|(z, target)| binary_cross_entropy(t, z, target));
        let both = t.add(a, b);
        let judging_loss = t.mul_scalar(both, 0.5);
        let (mut updates, mut memories) = follow(t, *optimiser, both, (&own[1], &judging), &[], inputs);
        let next = settled(t, &own[1], &judging, &mut updates);

        let of_fake_now = discriminator.apply(t, fake, shares, &next);
        let loss = binary_cross_entropy(t, of_fake_now, one);
        // The discriminator is an opponent as it is: how it would have learned from other pictures does not count.
        let (mut own_updates, own_memories) = follow(t, *optimiser, loss, (&own[0], &made), &next, inputs);
        own_updates.extend(running_statistics(t, &statistics));
        updates.extend(averaged(t, &made, &average, kept, &own_updates));
        updates.extend(own_updates);
        // The generator's come first in a state.
        memories.iter_mut().zip(own_memories).for_each(|(all, mut own)| {
            own.append(all);
            *all = own;
        });

        let below = t.neg(of_fake);
        let recognised = t.step(below);
        let recognised = t.sum_per_trial(recognised);
        let seen = [loss, judging_loss, recognised];
        let plan = Plan::new(t, &seen, &updates);
        let tensors = [made, judging, average].concat();
        Planned { plan, pictures, latent, shares, inputs, kept, seen, tensors, memories }
    }
}

type Updates = Vec<(Var, Var)>;

/// How the optimiser moves the trainable ones of these tensors against a loss, in which `held` are constants.
fn follow(
    tape: &mut Tape,
    optimiser: Optimiser,
    loss: Var,
    (declared, values): (&[Declaration], &[Var]),
    held: &[Var],
    inputs: Inputs,
) -> (Updates, Vec<Vec<Var>>) {
    let trainable = declared.iter().zip(values).filter(|(d, _)| d.trainable);
    let values: Vec<Var> = trainable.map(|(_, &value)| value).collect();
    let gradient = tape.grad_holding(loss, &values, held);
    moves(tape, optimiser, (&values, &gradient, &vec![0.0; values.len()]), inputs)
}

/// What an update makes of a tensor.
fn after(value: Var, updates: &Updates) -> Var {
    updates.iter().find(|(old, _)| *old == value).map_or(value, |&(_, new)| new)
}

/// The tensors after these updates and a step of the power iteration, which is added to the updates.
fn settled(tape: &mut Tape, declared: &[Declaration], values: &[Var], updates: &mut Updates) -> Vec<Var> {
    let mut next: Vec<Var> = values.iter().map(|&value| after(value, updates)).collect();
    let moved = spectral::moved(tape, declared, &next);
    let places = (0..declared.len()).filter(|&i| spectral::is_moved(&declared[i]));
    for (place, new) in places.zip(moved) {
        next[place] = new;
        updates.push((values[place], new));
    }
    next
}

/// The average's tensors: a + (1 − kept)·(new − a).
fn averaged(tape: &mut Tape, made: &[Var], average: &[Var], kept: Var, updates: &Updates) -> Updates {
    let pairs = made.iter().zip(average);
    let average = pairs.map(|(&value, &old)| {
        let ones = vec![1; tape.shape(old).len()];
        let kept = tape.reshape(kept, &ones);
        let new = after(value, updates);
        let change = tape.sub(old, new);
        let change = tape.mul(change, kept);
        (old, tape.add(new, change))
    });
    average.collect()
}

impl Step {
    /// What [`Step::new`] compiles.
    pub fn plan(adversaries: &Adversaries) -> Plan {
        Planned::new(adversaries).plan
    }

    /// Compiles a step.
    pub fn new(device: &dyn Device, adversaries: &Adversaries) -> Result<Step, DeviceError> {
        let planned = Planned::new(adversaries);
        Ok(Step { executable: device.compile(&planned.plan)?, optimiser: adversaries.optimiser, planned })
    }

    /// Sets parameters and what the optimisers remember.
    pub fn write(&mut self, state: &State) -> Result<(), DeviceError> {
        let vars = self.planned.tensors.iter().chain(self.planned.memories.iter().flatten());
        write_all(&mut *self.executable, vars, state.tensors.iter().chain(state.memories.iter().flatten()))
    }

    /// Parameters and what the optimisers remember, as they are now.
    pub fn read(&mut self) -> Result<State, DeviceError> {
        let tensors = read(&mut *self.executable, &self.planned.tensors)?;
        let memories = self.planned.memories.iter().map(|vars| read(&mut *self.executable, vars));
        Ok(State { tensors, memories: memories.collect::<Result<_, _>>()? })
    }

    /// Step `step`, counted from 0.
    pub fn run(&mut self, shown: &Shown, rate: f64, step: usize) -> Result<Judged, DeviceError> {
        let Planned { pictures, latent, shares, inputs, kept, seen, .. } = &self.planned;
        let executable = &mut *self.executable;
        executable.write(*pictures, shown.pictures)?;
        executable.write(*latent, shown.latent)?;
        executable.write(*shares, shown.shares)?;
        // A short average first: the first generators are not worth keeping.
        let share = KEPT.min((1 + step) as f64 / (10 + step) as f64);
        executable.write(*kept, &[share as f32])?;
        inputs.write(executable, self.optimiser, rate, step)?;
        executable.run(1)?;
        let [generator, discriminator, recognised] = [0, 1, 2].map(|i| executable.read(seen[i]));
        Ok(Judged {
            generator: generator?[0],
            discriminator: discriminator?[0],
            recognised: recognised?[0] as usize,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::Cpu;

    const BATCH: usize = 4;
    const CLASSES: usize = 3;
    const BETA1: f64 = 0.5;

    /// Adam's first memory moves by the gradient: m' = β₁·m + (1 − β₁)·g. In the first step its direction is g's sign, which
    /// has no derivative; so the second is looked at.
    #[test]
    fn the_generator_learns_from_the_discriminator_as_it_is_after_its_own_step() {
        let adversaries = Adversaries {
            generator: Dcgan::to_train(2, 3, CLASSES),
            discriminator: Discriminator { f: 2, image: [3, 32, 32], classes: CLASSES },
            batch: BATCH,
            optimiser: Optimiser::AdamW { beta1: BETA1, beta2: 0.999, epsilon: 1e-8 },
        };
        let device = Cpu::<f64>::new();
        let start = adversaries.start(3);
        let mut generator = random::generator(4, "test");
        let mut drawn = |count: usize| random::normal(&mut generator, count);
        let shares = crate::nn::loss::one_hot(&[0, 2, 1, 2], CLASSES);
        let mut step = Step::new(&device, &adversaries).unwrap();
        step.write(&start).unwrap();
        let (mut before, mut after, mut latent) = (start.clone(), start, vec![]);
        for number in 0..2 {
            let pictures: Vec<f32> = drawn(BATCH * 3 * 32 * 32).iter().map(|v| v.tanh()).collect();
            latent = drawn(BATCH * adversaries.generator.latent());
            step.run(&Shown { pictures: &pictures, latent: &latent, shares: &shares }, 0.01, number).unwrap();
            before = std::mem::replace(&mut after, step.read().unwrap());
        }

        let [made, judging, _] = adversaries.own();
        let mut tape = Tape::new();
        let t = &mut tape;
        let [z, of] = [latent.len() / BATCH, CLASSES].map(|width| t.input(&[1, BATCH, width]));
        let all = [&made[..], &judging[..]].concat();
        let inputs: Vec<Var> = all.iter().map(|d| t.input(&[&[1], &d.shape[..]].concat())).collect();
        let (fake, _) = apply_and_watch(&adversaries.generator, t, z, &inputs[..made.len()]);
        let judged = adversaries.discriminator.apply(t, fake, of, &inputs[made.len()..]);
        let one = t.full(&[1, BATCH, 1], 1.0);
        let loss = binary_cross_entropy(t, judged, one);
        let learned: Vec<Var> =
            made.iter().zip(&inputs).filter(|(d, _)| d.trainable).map(|(_, &value)| value).collect();
        let gradient = t.grad(loss, &learned);
        let mut exe = device.compile(&Plan::new(t, &gradient, &[])).unwrap();
        // The generator before the step, the discriminator after it.
        let tensors = before.tensors[..made.len()].iter().chain(&after.tensors[made.len()..]);
        write_all(&mut *exe, &inputs, tensors.take(inputs.len())).unwrap();
        exe.write(z, &latent).unwrap();
        exe.write(of, &shares).unwrap();
        exe.run(1).unwrap();
        for (i, &expected) in gradient.iter().enumerate() {
            let expected = exe.read(expected).unwrap();
            let size = expected.iter().map(|v| v.abs()).fold(0.0, f32::max);
            let memories = after.memories[0][i].iter().zip(&before.memories[0][i]);
            for ((&after, &before), expected) in memories.zip(expected) {
                let found = (after - BETA1 as f32 * before) / (1.0 - BETA1) as f32;
                assert!((found - expected).abs() <= 1e-5 * size, "{i}: {found}, expected {expected}");
            }
        }
    }
}
