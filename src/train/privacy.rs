//! What DP-SGD promises over a whole training.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::Recipe;
use crate::federated::defence::{Defence, accountant::DELTA, epsilon_of_steps};

/// ε over all rounds of a training with DP-SGD, each client adding its own noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Privacy {
    /// Against whoever sees every client's update and knows who took part: each picture is in one update an epoch, with
    /// nothing gained by sampling or by the other clients' noise.
    pub epsilon_of_updates: f64,
    /// Against whoever sees the model after every round, in which the noises of all clients add up and pictures take part
    /// at random: as Opacus counts it.
    pub epsilon_of_models: f64,
    /// δ of both.
    pub delta: f64,
    /// Steps of the training.
    pub rounds: usize,
    /// Pictures of a round among all.
    pub sampling_rate: f64,
    /// Deviation of all noise of a round together, in clip norms.
    pub noise_multiplier: f64,
}

impl Recipe {
    /// `None` without DP-SGD. `pictures`: that an epoch shows.
    pub fn privacy(&self, pictures: usize) -> Option<Privacy> {
        let defending = self.defending.as_ref()?;
        let multiplier = defending.defences.iter().find_map(|defence| match defence {
            Defence::DpSgd { multiplier, .. } => Some(*multiplier),
            _ => None,
        })?;
        let clients = self.batch / defending.client_batch.max(1);
        let (rounds, sampling_rate) =
            (self.steps(pictures) * self.epochs, self.batch as f64 / pictures.max(1) as f64);
        let noise_multiplier = multiplier * (clients as f64).sqrt();
        Some(Privacy {
            epsilon_of_updates: epsilon_of_steps(multiplier, 1.0, self.epochs, DELTA)?,
            epsilon_of_models: epsilon_of_steps(noise_multiplier, sampling_rate, rounds, DELTA)?,
            delta: DELTA,
            rounds,
            sampling_rate,
            noise_multiplier,
        })
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "epsilon {} against whoever sees every update, {} against whoever sees the models ({} rounds, a picture in each \
             with probability {:.4}; delta {:e})",
            short(self.epsilon_of_updates),
            short(self.epsilon_of_models),
            self.rounds,
            self.sampling_rate,
            self.delta
        )
    }
}

/// Three digits.
fn short(epsilon: f64) -> String {
    if epsilon < 1000.0 { format!("{epsilon:.2}") } else { format!("{epsilon:.2e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{federated::defence::parse, train::Defending};

    #[test]
    fn noise_of_several_clients_adds_up_for_the_model_alone() {
        let recipe = |client_batch| {
            let defences = parse("dp-sgd:1:1").unwrap();
            Recipe {
                epochs: 2,
                batch: 16,
                defending: Some(Defending { defences, client_batch }),
                ..Recipe::default()
            }
        };
        let [one, four] = [16, 4].map(|batch| recipe(batch).privacy(160).unwrap());
        assert_eq!((one.rounds, one.sampling_rate, one.noise_multiplier), (20, 0.1, 1.0));
        assert_eq!(four.noise_multiplier, 2.0);
        assert_eq!(one.epsilon_of_updates, four.epsilon_of_updates);
        assert!(four.epsilon_of_models < one.epsilon_of_models);
        assert!(one.epsilon_of_models < one.epsilon_of_updates);
        assert_eq!(Recipe::default().privacy(160), None);
    }
}
