//! What a victim's linear layer is given for pictures: their features, as the gradient of that layer knows them.

use crate::{
    device::{Device, DeviceError, Executable},
    federated::Victim,
    nn::Mode,
    plan::Plan,
    tape::{Tape, Var},
};

/// Pictures of one replay.
const TOGETHER: usize = 64;

/// A victim's forward pass up to one linear layer, compiled; batch norm in eval mode, so that a picture's features do not
/// depend on what is beside it.
pub struct LayerInputs {
    executable: Box<dyn Executable>,
    x: Var,
    input: Var,
    together: usize,
    picture: usize,
}

impl LayerInputs {
    /// `layer`: as [`linear_layers`](super::layers::linear_layers) counts them; `pictures`: as many as will be asked for,
    /// about.
    pub fn new(
        device: &dyn Device,
        victim: &Victim,
        layer: usize,
        pictures: usize,
    ) -> Result<LayerInputs, DeviceError> {
        let together = pictures.clamp(1, TOGETHER);
        let mut tape = Tape::new();
        let [c, h, w] = victim.image_shape();
        let x = tape.input(&[1, together, c, h, w]);
        let pass = victim.model.apply(&mut tape, x, Mode::Eval);
        let input = pass.linear[layer].input;
        let mut executable = device.compile(&Plan::new(&tape, &[input], &[]))?;
        for (parameter, tensor) in pass.parameters.iter().zip(&victim.tensors) {
            match executable.write(parameter.stored, tensor) {
                // Parameters of later layers are not part of the plan.
                Ok(()) | Err(DeviceError::UnknownVar(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(LayerInputs { executable, x, input, together, picture: c * h * w })
    }

    /// Inputs of the layer `(n)` for each of the normalised pictures `(N,C,H,W)`.
    pub fn of(&mut self, images: &[f32]) -> Result<Vec<Vec<f32>>, DeviceError> {
        let mut all = vec![];
        for some in images.chunks(self.together * self.picture) {
            let count = some.len() / self.picture;
            let mut padded = some.to_vec();
            padded.resize(self.together * self.picture, 0.0);
            self.executable.write(self.x, &padded)?;
            self.executable.run(1)?;
            let found = self.executable.read(self.input)?;
            let n = found.len() / self.together;
            all.extend(found.chunks(n).take(count).map(<[f32]>::to_vec));
        }
        Ok(all)
    }
}
