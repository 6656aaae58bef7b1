//! How well a model classifies, in eval mode.

use super::{Pictures, pictures::Levels};
use crate::{
    data::Normalisation,
    device::{Device, DeviceError, Executable},
    nn::{Mode, Model},
    plan::Plan,
    tape::{Tape, Var},
    watch::{Stage, Watch},
};

/// The forward pass for batches of one size, compiled once.
pub struct Evaluator {
    executable: Box<dyn Executable>,
    batch: usize,
    classes: usize,
    x: Var,
    logits: Var,
    tensors: Vec<Var>,
}

/// What came out for every picture.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// `(N,K)`
    pub logits: Vec<f32>,
    /// Pictures that were classified right.
    pub right: usize,
    /// Mean over the pictures.
    pub cross_entropy: f64,
    /// N
    pub pictures: usize,
}

/// Why a network cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The device has no memory, or fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The network overflows on a picture.
    #[error("the logits of picture {index} are not finite: the network overflows")]
    NotFinite {
        /// Which one.
        index: usize,
    },
}

impl Evaluator {
    /// Compiles the network for `batch` pictures at once.
    pub fn new(device: &dyn Device, model: &Model, batch: usize) -> Result<Evaluator, DeviceError> {
        let mut tape = Tape::new();
        let ([c, h, w], classes) = (model.image, model.classes);
        let x = tape.input(&[1, batch, c, h, w]);
        let pass = model.apply(&mut tape, x, Mode::Eval);
        let executable = device.compile(&Plan::new(&tape, &[pass.logits], &[]))?;
        let tensors = pass.parameters.iter().map(|p| p.stored).collect();
        Ok(Evaluator { executable, batch, classes, x, logits: pass.logits, tensors })
    }

    /// Classifies all pictures with these parameters and buffers, in `state_dict` order. `watch` sees the
    /// pictures done.
    pub fn run(
        &mut self,
        tensors: &[Vec<f32>],
        pictures: &Pictures,
        normalisation: &Normalisation,
        watch: &dyn Watch,
    ) -> Result<Evaluation, EvaluationError> {
        for (&var, tensor) in self.tensors.iter().zip(tensors) {
            self.executable.write(var, tensor)?;
        }
        let stage = Stage::new(watch, "classifying");
        let levels = Levels::new(normalisation);
        let length: usize = pictures.shape.iter().product();
        let mut images = vec![0.0; self.batch * length];
        let mut logits = Vec::with_capacity(pictures.len() * self.classes);
        for first in (0..pictures.len()).step_by(self.batch) {
            // The places that the last batch has left keep older pictures, whose logits are not read.
            let count = self.batch.min(pictures.len() - first);
            for (i, to) in images.chunks_mut(length).enumerate().take(count) {
                levels.write(pictures.picture(first + i), to);
            }
            self.executable.write(self.x, &images)?;
            self.executable.run(1)?;
            logits.extend(&self.executable.read(self.logits)?[..count * self.classes]);
            stage.count(first + count, pictures.len());
        }
        evaluation(logits, &pictures.labels, self.classes)
    }
}

fn evaluation(logits: Vec<f32>, labels: &[usize], classes: usize) -> Result<Evaluation, EvaluationError> {
    let (mut right, mut total) = (0, 0.0);
    for (index, (row, &label)) in logits.chunks(classes).zip(labels).enumerate() {
        if row.iter().any(|logit| !logit.is_finite()) {
            return Err(EvaluationError::NotFinite { index });
        }
        let own = f64::from(row[label]);
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        right += usize::from(row[label] == largest);
        let largest = f64::from(largest);
        let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum();
        total += largest + sum.ln() - own;
    }
    let pictures = labels.len();
    Ok(Evaluation { logits, right, cross_entropy: total / pictures.max(1) as f64, pictures })
}

impl Evaluation {
    /// Share of the pictures classified right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.pictures.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_cross_entropy_are_those_of_the_logits() {
        let logits = vec![0.0, 0.0, 3.0f32.ln(), 0.0, 1.0, 2.0];
        let found = evaluation(logits, &[1, 0, 0], 2).unwrap();
        // A tie counts as right.
        assert_eq!((found.right, found.pictures), (2, 3));
        let expected = (2f64.ln() + (4f64 / 3.0).ln() + (1.0 + 1f64.exp()).ln()) / 3.0;
        assert!((found.cross_entropy - expected).abs() < 1e-7, "{}", found.cross_entropy);
        assert!(evaluation(vec![0.0, f32::NAN], &[0], 2).is_err());
    }
}
