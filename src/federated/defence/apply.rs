//! Defences applied to what a client sends.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

use super::{Defence, client_protocol, noise_deviation, soteria};
use crate::{
    device::Device,
    federated::{Client, ClientError, Protocol, Update, Victim},
    random,
};

/// Floating-point operations of what a client of `batch` pictures derives for its defences beside its gradient: Soteria's scores.
pub fn flops(victim: &Victim, protocol: &Protocol, defences: &[Defence], batch: usize) -> u64 {
    if prunes(defences) { soteria::flops(victim, protocol, batch) } else { 0 }
}

fn prunes(defences: &[Defence]) -> bool {
    defences.iter().any(|d| matches!(d, Defence::Soteria(_)))
}

/// A client that defends itself.
pub struct Defended<'a> {
    victim: &'a Victim,
    /// The client's own, with clipping per example where a defence asks for it.
    protocol: Protocol,
    defences: &'a [Defence],
    client: Client,
    pruning: Option<soteria::Scores>,
    batch: usize,
}

impl<'a> Defended<'a> {
    /// A client of `batch` pictures that applies these defences, in order, to what it sends.
    pub fn new(
        device: &dyn Device,
        victim: &'a Victim,
        protocol: &Protocol,
        defences: &'a [Defence],
        batch: usize,
    ) -> Result<Defended<'a>, ClientError> {
        Defended::several(device, victim, protocol, defences, [1, batch])
    }

    /// So many clients of `batch` pictures each, see [`Client::several`].
    pub fn several(
        device: &dyn Device,
        victim: &'a Victim,
        protocol: &Protocol,
        defences: &'a [Defence],
        [at_once, batch]: [usize; 2],
    ) -> Result<Defended<'a>, ClientError> {
        let protocol = client_protocol(protocol, defences)?;
        let client = Client::several(device, victim, &protocol, batch, at_once)?;
        let pruning =
            prunes(defences).then(|| soteria::Scores::new(device, victim, &protocol, batch)).transpose()?;
        Ok(Defended { victim, protocol, defences, client, pruning, batch })
    }

    /// What the client sends as a mean gradient, for the eavesdropper to work on: [`Update::gradient`] holds
    /// it after the defences. `number` tells the noise of one batch from another's.
    pub fn update(
        &mut self,
        images: &[f32],
        labels: &[usize],
        seed: u64,
        number: usize,
    ) -> Result<Update, ClientError> {
        Ok(self.updates(images, labels, seed, number)?.swap_remove(0))
    }

    /// What each client sends, on pictures and labels of all of them in turn; `first` is the number of the first.
    pub fn updates(
        &mut self,
        images: &[f32],
        labels: &[usize],
        seed: u64,
        first: usize,
    ) -> Result<Vec<Update>, ClientError> {
        let mut updates = self.client.updates(self.victim, images, labels)?;
        if self.defences.is_empty() {
            return Ok(updates);
        }
        let scale = self.protocol.scale(self.batch);
        let rescale = |tensors: &mut Vec<Vec<f32>>, factor: f64| {
            tensors.iter_mut().flatten().for_each(|v| *v = (f64::from(*v) * factor) as f32);
        };
        let own = images.chunks(images.len() / updates.len());
        for (i, (update, images)) in updates.iter_mut().zip(own).enumerate() {
            let mut generator = random::generator(seed, &format!("defence {}", first + i));
            rescale(&mut update.gradient, scale);
            for &defence in self.defences {
                self.apply(defence, &mut update.gradient, images, &mut generator)?;
            }
            rescale(&mut update.gradient, 1.0 / scale);
        }
        Ok(updates)
    }

    /// Parameters and buffers to train from, in `state_dict` order, in place of the victim's.
    pub fn set_tensors(&mut self, tensors: &[Vec<f32>]) -> Result<(), ClientError> {
        self.client.set_tensors(tensors)?;
        if let Some(scores) = &mut self.pruning {
            scores.set_tensors(tensors)?;
        }
        Ok(())
    }

    fn apply(
        &mut self,
        defence: Defence,
        sent: &mut [Vec<f32>],
        images: &[f32],
        generator: &mut ChaCha8Rng,
    ) -> Result<(), ClientError> {
        match defence {
            Defence::Noise(_) | Defence::Laplace(_) => add_noise(defence, 1.0, sent, generator),
            Defence::DpSgd { .. } => {
                let deviation = noise_deviation(&[defence], self.batch);
                add_noise(Defence::Noise(deviation), 1.0, sent, generator);
            }
            Defence::Clip(limit) => {
                let square: f64 = sent.iter().flatten().map(|v| f64::from(*v).powi(2)).sum();
                let factor = (limit / square.sqrt()).min(1.0) as f32;
                sent.iter_mut().flatten().for_each(|v| *v *= factor);
            }
            Defence::TopK(share) => keep_largest(sent, share),
            Defence::Sign => sent.iter_mut().flatten().for_each(|v| {
                *v = if *v == 0.0 { 0.0 } else { v.signum() };
            }),
            Defence::Soteria(share) => {
                let scores = self.pruning.as_mut().expect("made with the defences");
                let pruned = scores.pruned(images, share)?;
                let weight = &mut sent[self.victim.last_weight()];
                let features = pruned.len();
                weight
                    .iter_mut()
                    .enumerate()
                    .filter(|(i, _)| pruned[i % features])
                    .for_each(|(_, v)| *v = 0.0);
            }
        }
        Ok(())
    }
}

/// The noise of a noise defence, `relative` times as strong.
pub(crate) fn add_noise(defence: Defence, relative: f64, sent: &mut [Vec<f32>], generator: &mut ChaCha8Rng) {
    match defence {
        Defence::Noise(deviation) => {
            for tensor in sent {
                let noise = random::normal(generator, tensor.len());
                let deviation = (deviation * relative) as f32;
                tensor.iter_mut().zip(noise).for_each(|(v, n)| *v += n * deviation);
            }
        }
        Defence::Laplace(scale) => {
            // The difference of two exponential draws.
            let mut draw = || -> f32 { Exp1.sample(generator) };
            let scale = (scale * relative) as f32;
            sent.iter_mut().flatten().for_each(|v| *v += (draw() - draw()) * scale);
        }
        _ => {}
    }
}

/// Everything but the largest share of all entries becomes 0.
fn keep_largest(sent: &mut [Vec<f32>], share: f64) {
    let mut magnitudes: Vec<f32> = sent.iter().flatten().map(|v| v.abs()).collect();
    let kept = ((magnitudes.len() as f64 * share).round() as usize).clamp(1, magnitudes.len());
    let (_, &mut least, _) = magnitudes.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    sent.iter_mut().flatten().filter(|v| v.abs() < least).for_each(|v| *v = 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Normalisation, samples},
        device::cpu::Cpu,
        federated::{Request, defence::parse},
    };

    fn sent(defences: &str) -> (Vec<f32>, Vec<f32>) {
        let victim = Victim::from_seed(&Request::named("lenet-zhu"), 3).unwrap();
        let data = samples();
        let pictures = [data.picture(0).unwrap(), data.picture(1).unwrap()];
        let images = Normalisation::default().normalise(&pictures).unwrap();
        let device = Cpu::<f32>::new();
        let run = |text: &str| {
            let defences = if text.is_empty() { vec![] } else { parse(text).unwrap() };
            let mut client = Defended::new(&device, &victim, &Protocol::default(), &defences, 2).unwrap();
            client.update(&images, &[2, 9], 1, 0).unwrap().gradient.concat()
        };
        (run(""), run(defences))
    }

    fn deviation(a: &[f32], b: &[f32]) -> f64 {
        let square: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        (square / a.len() as f64).sqrt()
    }

    fn norm(a: &[f32]) -> f64 {
        a.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn noise_has_the_deviation_that_was_asked_for() {
        for (text, expected) in [("noise:0.5", 0.5), ("laplace:0.5", 0.5 * 2f64.sqrt())] {
            let (plain, noisy) = sent(text);
            assert!((deviation(&plain, &noisy) / expected - 1.0).abs() < 0.05, "{text}");
        }
    }

    #[test]
    fn clipping_shortens_and_keeps_the_direction() {
        let (plain, clipped) = sent("clip:0.01");
        assert!((norm(&clipped) - 0.01).abs() < 1e-6);
        let dot: f64 = plain.iter().zip(&clipped).map(|(a, b)| f64::from(a * b)).sum();
        assert!(dot / (norm(&plain) * norm(&clipped)) > 0.99999);
        let (plain, same) = sent("clip:1e6");
        assert_eq!(plain, same);
    }

    #[test]
    fn dp_sgd_clips_every_picture_before_the_mean() {
        let (plain, clipped) = sent("dp-sgd:0.01:1e-9");
        assert!(norm(&plain) > 0.1);
        assert!(norm(&clipped) <= 0.01 + 1e-6 && norm(&clipped) > 1e-4);
    }

    #[test]
    fn sparse_and_sign_gradients_are() {
        let (plain, sparse) = sent("top-k:0.1");
        let kept = sparse.iter().filter(|v| **v != 0.0).count();
        assert!((kept as f64 / plain.len() as f64 - 0.1).abs() < 0.001);
        let smallest = sparse.iter().filter(|v| **v != 0.0).map(|v| v.abs()).fold(f32::MAX, f32::min);
        assert!(plain.iter().zip(&sparse).all(|(p, s)| *s == *p || (*s == 0.0 && p.abs() <= smallest)));
        let (plain, signs) = sent("sign");
        assert!(plain.iter().zip(&signs).all(|(p, s)| *s == p.signum() || *p == 0.0));
    }

    #[test]
    fn soteria_prunes_columns_of_the_last_layer_only() {
        let (plain, pruned) = sent("soteria:0.75");
        let changed = plain.iter().zip(&pruned).filter(|(a, b)| a != b).count();
        assert!(plain.iter().zip(&pruned).all(|(a, b)| a == b || *b == 0.0));
        // 768 features × 10 classes.
        assert_eq!(changed, 576 * 10);
    }
}
