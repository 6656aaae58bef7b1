//! The check that every attack gets: the gradient that the reconstruction itself would give, beside the observed one.

use serde::Serialize;

use super::{
    AttackError,
    invert::{Setting, Target},
};
use crate::{
    device::{Device, DeviceError},
    federated::{Client, ClientError},
};

/// How the recomputed gradient g compares with the observed g*.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Recomputed {
    /// ‖g − g*‖/‖g*‖: 0 for the client's own pictures and labels, 1 for a reconstruction that says nothing.
    pub residual: f64,
    /// 1 − ⟨g,g*⟩/(‖g‖·‖g*‖)
    pub cosine_distance: f64,
    /// ‖g‖/‖g*‖
    pub norm_ratio: f64,
}

/// The client's training as the eavesdropper takes it to be, without what a defence does to its result.
pub struct Recomputing<'a> {
    client: Client,
    setting: &'a Setting<'a>,
}

impl<'a> Recomputing<'a> {
    /// Compiles the client's training of one batch.
    pub fn new(device: &dyn Device, setting: &'a Setting<'a>) -> Result<Recomputing<'a>, AttackError> {
        let client = Client::new(device, setting.victim, setting.protocol, setting.batch).map_err(failed)?;
        Ok(Recomputing { client, setting })
    }

    /// Of normalised images `(B,C,H,W)` with these labels. `None` where they give no finite gradient.
    pub fn of(
        &mut self,
        images: &[f32],
        labels: &[usize],
        target: &Target,
    ) -> Result<Option<Recomputed>, AttackError> {
        let gradient = match self.client.update(self.setting.victim, images, labels) {
            Ok(update) => update.gradient,
            Err(ClientError::Zero { .. }) => target.gradient.iter().map(|g| vec![0.0; g.len()]).collect(),
            Err(ClientError::NotFinite { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        Ok(Some(compared(&gradient, &target.gradient)))
    }
}

fn compared(gradient: &[Vec<f32>], observed: &[Vec<f32>]) -> Recomputed {
    let (mut own, mut seen, mut both, mut apart) = (0.0, 0.0, 0.0, 0.0);
    for (&g, &o) in gradient.iter().flatten().zip(observed.iter().flatten()) {
        let (g, o) = (f64::from(g), f64::from(o));
        own += g * g;
        seen += o * o;
        both += g * o;
        apart += (g - o).powi(2);
    }
    let lengths = (own * seen).sqrt();
    Recomputed {
        residual: (apart / seen).sqrt(),
        cosine_distance: if lengths > 0.0 { 1.0 - both / lengths } else { 1.0 },
        norm_ratio: (own / seen).sqrt(),
    }
}

fn failed(error: ClientError) -> AttackError {
    match error {
        ClientError::Device(error) => error.into(),
        error => AttackError::Invalid(format!("the gradient cannot be recomputed: {error}")),
    }
}

/// Whether the recomputation is left out: a device without the memory for it still has the reconstruction.
pub fn does_not_fit(error: &AttackError) -> bool {
    matches!(error, AttackError::Device(DeviceError::TooLarge { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_of_twice_the_length_has_residual_one_and_no_cosine_distance() {
        let observed = [vec![1.0, -2.0], vec![2.0]];
        let double = [vec![2.0, -4.0], vec![4.0]];
        let found = compared(&double, &observed);
        assert_eq!(found, Recomputed { residual: 1.0, cosine_distance: 0.0, norm_ratio: 2.0 });
        let nothing = compared(&[vec![0.0; 2], vec![0.0]], &observed);
        assert_eq!((nothing.residual, nothing.cosine_distance, nothing.norm_ratio), (1.0, 1.0, 0.0));
    }
}
