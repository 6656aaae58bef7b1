//! How to train.

use serde::{Deserialize, Serialize};

use super::{Defending, Optimiser, Robust};
use crate::federated::{Protocol, defence::client_protocol};

/// Steps of an optimiser with a one-cycle schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Passes over the pictures.
    pub epochs: usize,
    /// Pictures of a step. Those that an epoch has left at its end are not enough for one and wait for the next.
    pub batch: usize,
    /// The largest, which the schedule reaches after its warm-up.
    pub learning_rate: f64,
    /// How gradients move parameters.
    pub optimiser: Optimiser,
    /// λ of λ/2·‖θ‖², over weights alone.
    pub weight_decay: f64,
    /// Share of a label's probability that is spread over all classes.
    pub label_smoothing: f64,
    /// Random flips and shifts.
    pub augment: bool,
    /// Share of the pictures that are shown noisy, blurred or pale.
    pub degraded: f64,
    /// Of first values, order and augmentation.
    pub seed: u64,
    /// Clients that protect what they send, in place of one training on all pictures of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defending: Option<Defending>,
    /// Each picture is shown as it is named worst within this distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robust: Option<Robust>,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            epochs: 10,
            batch: 128,
            learning_rate: 0.1,
            optimiser: Optimiser::default(),
            weight_decay: 5e-4,
            label_smoothing: 0.0,
            augment: true,
            degraded: 0.0,
            seed: 42,
            defending: None,
            robust: None,
        }
    }
}

/// A value that no training can have.
#[derive(Debug, thiserror::Error)]
#[error("{name}: expected {expected}, found {found}")]
pub struct RecipeError {
    /// As in `learning-rate`.
    pub name: &'static str,
    /// What a training can have.
    pub expected: String,
    /// What was given.
    pub found: String,
}

impl Recipe {
    /// Whether a training on `pictures` pictures can follow it.
    pub fn check(&self, pictures: usize) -> Result<(), RecipeError> {
        let error = |name, expected: &str, found: &dyn ToString| {
            Err(RecipeError { name, expected: expected.into(), found: found.to_string() })
        };
        if !(1..=MOST_EPOCHS).contains(&self.epochs) {
            return error("epochs", &format!("1 to {MOST_EPOCHS}"), &self.epochs);
        }
        if !(1..=pictures).contains(&self.batch) {
            let expected = format!("1 to {pictures}, the number of pictures");
            return error("batch", &expected, &self.batch);
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return error("learning-rate", "a finite number above 0", &self.learning_rate);
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return error("weight-decay", "a finite number of 0 or more", &self.weight_decay);
        }
        let decays = match self.optimiser {
            Optimiser::Sgd { momentum, .. } => vec![("momentum", momentum)],
            Optimiser::AdamW { beta1, beta2, .. } => vec![("beta1", beta1), ("beta2", beta2)],
        };
        for (name, value) in decays.into_iter().chain([("label-smoothing", self.label_smoothing)]) {
            if !(0.0..1.0).contains(&value) {
                return error(name, "0 or more and below 1", &value);
            }
        }
        if !(0.0..=1.0).contains(&self.degraded) {
            return error("degraded", "0 to 1", &self.degraded);
        }
        if let Some(robust) = self.robust.filter(|robust| !robust.is_possible()) {
            return error("robust", "l2:EPS with EPS above 0", &robust);
        }
        if self.robust.is_some() && self.defending.is_some() {
            return error("robust", "none where clients protect what they send", &"both");
        }
        if let Some(Defending { defences, client_batch }) = &self.defending {
            if *client_batch == 0 || !self.batch.is_multiple_of(*client_batch) {
                let expected = format!("a divisor of --batch {}", self.batch);
                return error("client-batch", &expected, client_batch);
            }
            if let Err(found) = client_protocol(&Protocol::default(), defences) {
                return error("defence", "defences that fit together", &found);
            }
        }
        Ok(())
    }

    /// Steps of an epoch over so many pictures.
    pub fn steps(&self, pictures: usize) -> usize {
        pictures / self.batch
    }
}

/// Beyond it is a mistake.
const MOST_EPOCHS: usize = 100_000;
