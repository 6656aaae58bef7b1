//! One way or the other to take a step: on all its pictures at once, or by clients that protect what they send.

use super::{Recipe, Rounds, Seen, State, Step, TrainError};
use crate::{data::Normalisation, device::Device, federated::Victim};

pub(crate) enum Stepping<'a> {
    Whole(Step),
    Rounds(Box<Rounds<'a>>),
}

impl<'a> Stepping<'a> {
    pub(crate) fn new(
        device: &dyn Device,
        victim: &'a Victim,
        recipe: &'a Recipe,
        normalisation: &Normalisation,
    ) -> Result<Stepping<'a>, TrainError> {
        let Some(defending) = &recipe.defending else {
            victim.model.check_train(recipe.batch)?;
            return Ok(Stepping::Whole(Step::on(device, &victim.model, recipe, normalisation)?));
        };
        Ok(Stepping::Rounds(Rounds::new(device, victim, recipe, defending)?.into()))
    }

    pub(crate) fn write(&mut self, state: &State) -> Result<(), TrainError> {
        match self {
            Stepping::Whole(step) => Ok(step.write(state)?),
            Stepping::Rounds(rounds) => Ok(rounds.write(state)?),
        }
    }

    pub(crate) fn read(&mut self) -> Result<State, TrainError> {
        match self {
            Stepping::Whole(step) => Ok(step.read()?),
            Stepping::Rounds(rounds) => Ok(rounds.read()?),
        }
    }

    /// Parameters and buffers, in `state_dict` order.
    pub(crate) fn tensors(&mut self) -> Result<Vec<Vec<f32>>, TrainError> {
        match self {
            Stepping::Whole(step) => Ok(step.tensors()?),
            Stepping::Rounds(rounds) => Ok(rounds.tensors()),
        }
    }

    /// Step `step`, counted from 0, on normalised images `(B,C,H,W)` and their labels, each below `K`.
    pub(crate) fn run(
        &mut self,
        images: &[f32],
        labels: &[usize],
        rate: f64,
        step: usize,
    ) -> Result<Seen, TrainError> {
        match self {
            Stepping::Whole(whole) => Ok(whole.run(images, labels, rate, step)?),
            Stepping::Rounds(rounds) => Ok(rounds.run(images, labels, rate, step)?),
        }
    }
}
