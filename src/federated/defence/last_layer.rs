//! A client of which only the last layer's part is wanted, as label restoration does.

use super::{Defence, Defended, apply::add_noise};
use crate::{
    device::Device,
    federated::{Client, ClientError, Protocol, Victim},
    random,
};

/// Computes no more of the gradient than the defences need: noise falls on each entry for itself, all others
/// look at the whole.
pub enum LastLayerClient<'a> {
    /// The whole gradient is computed and defended, and the last layer's tensors are taken out.
    Whole {
        /// Who computes it.
        client: Box<Defended<'a>>,
        /// Positions of the last layer's tensors.
        which: Vec<usize>,
    },
    /// Only the last layer's gradient is computed.
    Alone {
        /// Who computes it.
        client: Client,
        /// The model with its weights.
        victim: &'a Victim,
        /// What the mean gradient is multiplied by, see [`Protocol::scale`].
        scale: f64,
        /// In the order in which they are applied.
        defences: &'a [Defence],
    },
}

impl<'a> LastLayerClient<'a> {
    /// A client of `batch` pictures; what is computed follows from the defences.
    pub fn new(
        device: &dyn Device,
        victim: &'a Victim,
        protocol: &Protocol,
        defences: &'a [Defence],
        batch: usize,
    ) -> Result<LastLayerClient<'a>, ClientError> {
        let which: Vec<usize> =
            [Some(victim.last_weight()), victim.last_bias()].into_iter().flatten().collect();
        let alone = defences.iter().all(|d| matches!(d, Defence::Noise(_) | Defence::Laplace(_)));
        Ok(match alone {
            true => LastLayerClient::Alone {
                client: Client::of_tensors(device, victim, protocol, batch, which)?,
                victim,
                scale: protocol.scale(batch),
                defences,
            },
            false => LastLayerClient::Whole {
                client: Box::new(Defended::new(device, victim, protocol, defences, batch)?),
                which,
            },
        })
    }

    /// The last weight's and bias's part of the mean gradient, after the defences.
    pub fn update(
        &mut self,
        images: &[f32],
        labels: &[usize],
        seed: u64,
        number: usize,
    ) -> Result<Vec<Vec<f32>>, ClientError> {
        match self {
            LastLayerClient::Whole { client, which } => {
                let gradient = client.update(images, labels, seed, number)?.gradient;
                Ok(which.iter().map(|&i| gradient[i].clone()).collect())
            }
            LastLayerClient::Alone { client, victim, scale, defences } => {
                let mut gradient = client.update(victim, images, labels)?.gradient;
                let mut generator = random::generator(seed, &format!("defence {number}"));
                // What is sent is `scale` times the mean gradient: the noise on the latter is that much less.
                let relative = 1.0 / scale.abs();
                defences.iter().for_each(|d| add_noise(*d, relative, &mut gradient, &mut generator));
                Ok(gradient)
            }
        }
    }
}
