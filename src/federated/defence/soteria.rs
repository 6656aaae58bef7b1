//! Soteria (Sun 2021): features of the last layer that say most about the picture, for how little the picture
//! moves them, are left out of the last layer's gradient.

use crate::{
    device::{Device, DeviceError, Executable, write_all},
    federated::{ClientError, Protocol, Victim},
    plan::Plan,
    tape::{Tape, Var},
};

/// Keeps the score defined for a feature of 0, as in the authors' code.
const OFFSET: f64 = 0.1;

/// ‖∂r_f/∂x‖ / (r_f + 0.1) of every feature f, summed over the batch; one replay a feature.
pub(crate) struct Scores {
    executable: Box<dyn Executable>,
    x: Var,
    /// The model's tensors, in `state_dict` order.
    tensors: Vec<Var>,
    /// `(1,1,d)`
    chosen: Var,
    /// `(1)`
    score: Var,
    features: usize,
}

impl Scores {
    pub(crate) fn new(
        device: &dyn Device,
        victim: &Victim,
        protocol: &Protocol,
        batch: usize,
    ) -> Result<Scores, ClientError> {
        let mut tape = Tape::new();
        let [c, h, w] = victim.model.image;
        let x = tape.input(&[1, batch, c, h, w]);
        let pass = victim.model.apply(&mut tape, x, protocol.mode);
        let features = tape.shape(pass.features)[2];
        let chosen = tape.input(&[1, 1, features]);
        let picked = tape.mul(pass.features, chosen);
        let gradient = tape.grad(picked, &[x])[0];
        let square = tape.mul(gradient, gradient);
        let square = tape.sum(square, &[2, 3, 4]);
        let length = tape.sqrt(square);
        let length = tape.reshape(length, &[1, batch]);
        let value = tape.sum(picked, &[2]);
        let value = tape.reshape(value, &[1, batch]);
        let value = tape.abs(value);
        let value = tape.add_scalar(value, OFFSET);
        let ratio = tape.div(length, value);
        let score = tape.sum_per_trial(ratio);
        let executable = device.compile(&Plan::new(&tape, &[score], &[]))?;
        let tensors = pass.parameters.iter().map(|p| p.stored).collect();
        let mut scores = Scores { executable, x, tensors, chosen, score, features };
        scores.set_tensors(&victim.tensors)?;
        Ok(scores)
    }

    /// Parameters and buffers in place of the victim's, in `state_dict` order.
    pub(crate) fn set_tensors(&mut self, tensors: &[Vec<f32>]) -> Result<(), DeviceError> {
        write_all(&mut *self.executable, &self.tensors, tensors)
    }

    /// Which features are pruned: the share with the lowest scores.
    pub(crate) fn pruned(&mut self, images: &[f32], share: f64) -> Result<Vec<bool>, ClientError> {
        self.executable.write(self.x, images)?;
        let mut scores = Vec::with_capacity(self.features);
        for f in 0..self.features {
            let mut chosen = vec![0.0; self.features];
            chosen[f] = 1.0;
            self.executable.write(self.chosen, &chosen)?;
            self.executable.run(1)?;
            scores.push((self.executable.read(self.score)?[0], f));
        }
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut pruned = vec![false; self.features];
        let count = (self.features as f64 * share).round() as usize;
        scores.iter().take(count).for_each(|&(_, f)| pruned[f] = true);
        Ok(pruned)
    }
}
