//! Training as federated learning does it: in every step clients of a few pictures each send their defended gradients,
//! and the server follows their mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Recipe, Seen, State,
    optimiser::Inputs,
    step::{decays, moves},
};
use crate::{
    device::{Device, DeviceError, Executable, write_all},
    federated::{
        ClientError, ClientLoss, Protocol, Update, Victim,
        defence::{Defence, Defended},
    },
    nn::Mode,
    plan::Plan,
    tape::{Tape, Var},
};

/// How the clients of a training protect themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Defending {
    /// In this order.
    #[schemars(with = "Vec<String>")]
    pub defences: Vec<Defence>,
    /// Pictures of one client.
    pub client_batch: usize,
}

impl Defending {
    /// Batch norm's mode: statistics of a batch tie its pictures together, so that DP-SGD, which bounds what one of them
    /// can do, is not defined with them. There the running statistics of the beginning stay.
    pub fn mode(&self, victim: &Victim) -> Mode {
        let private = self.defences.iter().any(|d| matches!(d, Defence::DpSgd { .. }));
        match victim.has_batch_norm() && !private && victim.model.check_train(self.client_batch).is_ok() {
            true => Mode::Train,
            false => Mode::Eval,
        }
    }
}

/// Values of all clients' gradients together: so many clients are computed at once as stay below it.
const AT_ONCE: usize = 1 << 26;

/// A round of clients and the server's step after it.
pub struct Rounds<'a> {
    clients: Defended<'a>,
    at_once: usize,
    batch: usize,
    image: usize,
    seed: u64,
    server: Server,
    /// All of the model's tensors, in `state_dict` order.
    tensors: Vec<Vec<f32>>,
    /// Which of them are trained, and which are running statistics.
    trainable: Vec<bool>,
}

impl<'a> Rounds<'a> {
    /// `defending`: the recipe's.
    pub fn new(
        device: &dyn Device,
        victim: &'a Victim,
        recipe: &Recipe,
        defending: &'a Defending,
    ) -> Result<Rounds<'a>, ClientError> {
        let batch = defending.client_batch;
        let smoothing = recipe.label_smoothing;
        let loss = if smoothing > 0.0 { ClientLoss::Smoothing(smoothing) } else { ClientLoss::Mean };
        let protocol = Protocol { mode: defending.mode(victim), loss, ..Protocol::default() };
        let values: usize = victim.gradient_specs().iter().map(|s| s.shape.iter().product::<usize>()).sum();
        let (count, most) = (recipe.batch / batch, (AT_ONCE / values.max(1)).max(1));
        let at_once = (1..=count).rev().find(|n| count.is_multiple_of(*n) && *n <= most).unwrap_or(1);
        let clients = Defended::several(device, victim, &protocol, &defending.defences, [at_once, batch])?;
        Ok(Rounds {
            clients,
            at_once,
            batch,
            image: victim.image_shape().iter().product(),
            seed: recipe.seed,
            server: Server::new(device, victim, recipe)?,
            tensors: victim.tensors.clone(),
            trainable: victim.declarations.iter().map(|d| d.trainable).collect(),
        })
    }

    /// Sets parameters and what the server's optimiser remembers.
    pub fn write(&mut self, state: &State) -> Result<(), DeviceError> {
        self.tensors.clone_from(&state.tensors);
        let values = state.tensors.iter().zip(&self.trainable).filter(|(_, trained)| **trained);
        self.server.write(values.map(|(tensor, _)| tensor), &state.memories)
    }

    /// Parameters and what the server's optimiser remembers, as they are now.
    pub fn read(&mut self) -> Result<State, DeviceError> {
        Ok(State { tensors: self.tensors.clone(), memories: self.server.memories()? })
    }

    /// Parameters and buffers as they are now, in `state_dict` order.
    pub fn tensors(&self) -> Vec<Vec<f32>> {
        self.tensors.clone()
    }

    /// Round `step`, counted from 0, on normalised images of all clients in turn and their labels.
    pub fn run(
        &mut self,
        images: &[f32],
        labels: &[usize],
        rate: f64,
        step: usize,
    ) -> Result<Seen, ClientError> {
        self.clients.set_tensors(&self.tensors)?;
        let (together, count) = (self.at_once * self.batch, labels.len() / self.batch);
        let mut sum: Option<Update> = None;
        let mut losses = 0.0;
        for (i, (images, labels)) in
            images.chunks(together * self.image).zip(labels.chunks(together)).enumerate()
        {
            let first = step * count + i * self.at_once;
            for update in self.clients.updates(images, labels, self.seed, first)? {
                losses += f64::from(update.loss);
                match &mut sum {
                    None => sum = Some(update),
                    Some(sum) => {
                        sum.right += update.right;
                        add(&mut sum.gradient, &update.gradient);
                        add(&mut sum.buffers, &update.buffers);
                    }
                }
            }
        }
        let mut sum = sum.ok_or(ClientError::Labels { expected: self.batch, found: 0 })?;
        let share = 1.0 / count as f32;
        sum.gradient.iter_mut().chain(&mut sum.buffers).flatten().for_each(|v| *v *= share);
        let mut values = self.server.step(&sum.gradient, rate, step)?.into_iter();
        let mut buffers = sum.buffers.into_iter();
        for (tensor, trained) in self.tensors.iter_mut().zip(&self.trainable) {
            let next = if *trained { values.next() } else { buffers.next() };
            *tensor = next.expect("one a tensor");
        }
        Ok(Seen { loss: (losses / count as f64) as f32, right: sum.right })
    }
}

fn add(to: &mut [Vec<f32>], more: &[Vec<f32>]) {
    let pairs = to.iter_mut().zip(more);
    pairs.for_each(|(to, more)| to.iter_mut().zip(more).for_each(|(to, v)| *to += v));
}

/// The optimiser's step alone, given a gradient.
struct Server {
    executable: Box<dyn Executable>,
    recipe: Recipe,
    inputs: Inputs,
    values: Vec<Var>,
    gradient: Vec<Var>,
    memories: Vec<Vec<Var>>,
}

impl Server {
    fn new(device: &dyn Device, victim: &Victim, recipe: &Recipe) -> Result<Server, DeviceError> {
        let mut tape = Tape::new();
        let inputs = Inputs::new(&mut tape, recipe.optimiser);
        let trained: Vec<_> = victim.declarations.iter().filter(|d| d.trainable).collect();
        let [values, gradient] =
            [(); 2].map(|()| trained.iter().map(|d| tape.input(&d.shape)).collect::<Vec<Var>>());
        let decay: Vec<f64> = trained.iter().map(|d| decays(d) * recipe.weight_decay).collect();
        let (updates, memories) = moves(&mut tape, recipe.optimiser, (&values, &gradient, &decay), inputs);
        let executable = device.compile(&Plan::new(&tape, &[], &updates))?;
        Ok(Server { executable, recipe: recipe.clone(), inputs, values, gradient, memories })
    }

    fn write<'t>(
        &mut self,
        values: impl Iterator<Item = &'t Vec<f32>>,
        memories: &'t [Vec<Vec<f32>>],
    ) -> Result<(), DeviceError> {
        let vars = self.values.iter().chain(self.memories.iter().flatten());
        write_all(&mut *self.executable, vars, values.chain(memories.iter().flatten()))
    }

    fn memories(&mut self) -> Result<Vec<Vec<Vec<f32>>>, DeviceError> {
        let executable = &mut *self.executable;
        let mut read = |vars: &Vec<Var>| vars.iter().map(|&v| executable.read(v)).collect();
        self.memories.iter().map(&mut read).collect()
    }

    /// The trained tensors after it.
    fn step(&mut self, gradient: &[Vec<f32>], rate: f64, step: usize) -> Result<Vec<Vec<f32>>, DeviceError> {
        let executable = &mut *self.executable;
        write_all(executable, &self.gradient, gradient)?;
        self.inputs.write(executable, self.recipe.optimiser, rate, step)?;
        executable.run(1)?;
        self.values.iter().map(|&var| executable.read(var)).collect()
    }
}
