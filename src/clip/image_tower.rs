//! The image encoder: a vision transformer or a ResNet.

use super::{
    Activation, ClipError, Naming,
    config::{Choices, Claim},
    image,
    naming::Side,
    resnet::ResNet,
    tower::{Frozen, Tower},
};
use crate::{
    tape::{Tape, Var},
    tensor_file::TensorFile,
};

/// What makes features of pictures.
pub enum ImageTower {
    /// A vision transformer.
    Transformer(Tower),
    /// A convolutional network with attention in the end.
    ResNet(ResNet),
}

impl ImageTower {
    /// Takes the tower's tensors, all of which are there, out of the file; see `Tower::take`.
    pub fn take(
        file: &mut TensorFile,
        naming: Naming,
        choices: &Choices,
        activation: Activation,
    ) -> Result<ImageTower, ClipError> {
        match naming {
            Naming::OpenClip { resnet: true, .. } => ResNet::take(file, choices).map(ImageTower::ResNet),
            _ => Tower::take(file, naming, Side::Image, choices, activation).map(ImageTower::Transformer),
        }
    }

    /// Parts of its attention: of every block, or of the pooling of a ResNet.
    pub fn heads(&self) -> usize {
        match self {
            ImageTower::Transformer(tower) => tower.heads,
            ImageTower::ResNet(tower) => tower.heads,
        }
    }

    /// Width `E` of the features.
    pub fn projection(&self) -> usize {
        match self {
            ImageTower::Transformer(tower) => tower.projection(),
            ImageTower::ResNet(tower) => tower.projection(),
        }
    }

    /// Side of the pictures.
    pub fn image_size(&self) -> usize {
        match self {
            ImageTower::Transformer(tower) => tower.image_size,
            ImageTower::ResNet(tower) => tower.image_size,
        }
    }

    /// What a file's claim says of these tensors, or what they say instead.
    pub fn contradiction(&self, claim: &Claim) -> Option<String> {
        match self {
            ImageTower::Transformer(tower) => tower.contradiction(claim),
            ImageTower::ResNet(tower) => tower.contradiction(claim),
        }
    }

    /// `pixels (B,3,S,S)`, normalised, to features `(B,E)`, with the inputs that were added and what to write to them.
    pub fn encode<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let (features, weights) = match self {
            ImageTower::Transformer(tower) => {
                let mut weights = Frozen::new(&tower.tensors);
                (image::encode(tape, &mut weights, tower, pixels), weights)
            }
            ImageTower::ResNet(tower) => {
                let mut weights = Frozen::new(&tower.tensors);
                (tower.encode(tape, &mut weights, pixels), weights)
            }
        };
        (features, weights.used)
    }
}
