//! How well a network names pictures that were changed to be named wrong.

use super::{
    EvaluationError, Pictures,
    pictures::Levels,
    robust::{Robust, STEPS, Worst, starts, values},
};
use crate::{
    data::Normalisation,
    device::{Device, DeviceError, Executable},
    nn::{Mode, Model, loss::one_hot},
    plan::Plan,
    tape::{Tape, Var},
};

/// Test pictures that robustness is measured on, evenly spaced.
pub(crate) const MEASURED: usize = 500;

/// Five steps and the network, compiled.
pub(crate) struct RobustEvaluator {
    executable: Box<dyn Executable>,
    robust: Robust,
    batch: usize,
    classes: usize,
    x: Var,
    targets: Var,
    start: Var,
    logits: Var,
    tensors: Vec<Var>,
}

impl RobustEvaluator {
    /// Compiles five steps and the network for so many pictures at once.
    pub(crate) fn new(
        device: &dyn Device,
        model: &Model,
        batch: usize,
        robust: Robust,
        normalisation: &Normalisation,
    ) -> Result<RobustEvaluator, DeviceError> {
        let mut tape = Tape::new();
        let t = &mut tape;
        let ([c, h, w], classes) = (model.image, model.classes);
        let (x, targets) = (t.input(&[1, batch, c, h, w]), t.input(&[1, batch, classes]));
        let Worst { pictures, start, parameters } =
            Worst::new(t, model, Mode::Eval, [x, targets], robust, normalisation, STEPS);
        let pass = model.apply_with(t, pictures, Mode::Eval, &values(&parameters));
        let executable = device.compile(&Plan::new(t, &[pass.logits], &[]))?;
        let tensors = parameters.iter().map(|p| p.stored).collect();
        let logits = pass.logits;
        Ok(RobustEvaluator { executable, robust, batch, classes, x, targets, start, logits, tensors })
    }

    /// Share of the pictures that keep their name.
    pub(crate) fn accuracy(
        &mut self,
        tensors: &[Vec<f32>],
        pictures: &Pictures,
        normalisation: &Normalisation,
    ) -> Result<f64, EvaluationError> {
        for (&var, tensor) in self.tensors.iter().zip(tensors) {
            match self.executable.write(var, tensor) {
                Ok(()) | Err(DeviceError::UnknownVar(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let levels = Levels::new(normalisation);
        let length: usize = pictures.shape.iter().product();
        let mut images = vec![0.0; self.batch * length];
        let mut labels = vec![0; self.batch];
        let mut right = 0;
        for first in (0..pictures.len()).step_by(self.batch) {
            let count = self.batch.min(pictures.len() - first);
            for (i, to) in images.chunks_mut(length).enumerate().take(count) {
                levels.write(pictures.picture(first + i), to);
                labels[i] = pictures.labels[first + i];
            }
            let purpose = format!("robust evaluation from {first}");
            self.executable.write(self.x, &images)?;
            self.executable.write(self.targets, &one_hot(&labels, self.classes))?;
            self.executable.write(self.start, &starts(self.robust, 0, &purpose, self.batch, length))?;
            self.executable.run(1)?;
            let logits = self.executable.read(self.logits)?;
            for (row, &label) in logits.chunks(self.classes).zip(&labels).take(count) {
                right += usize::from(row.iter().all(|&other| other <= row[label]));
            }
        }
        Ok(right as f64 / pictures.len().max(1) as f64)
    }
}
