//! The registry of victims. A new architecture is one file and one line here.

use super::{Declaration, Network, convnet::ConvNet, lenet_zhu::LeNetZhu};
use crate::tape::{Tape, Var};

/// A network that can be attacked.
pub trait Architecture: Send + Sync {
    /// The forward pass: `x (T,B,C,H,W) → logits (T,B,K)`, declaring parameters in `state_dict` order.
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var;
    /// `[C, H, W]` of one image.
    fn image_shape(&self) -> [usize; 3];
}

/// Names as users write them.
pub const NAMES: [&str; 2] = ["lenet-zhu", "convnet<width>, e.g. convnet64"];

#[derive(Debug, thiserror::Error)]
pub enum ArchitectureError {
    #[error("unknown architecture '{0}'; known are: {known}", known = NAMES.join("; "))]
    Unknown(String),
    #[error("architecture '{name}': {reason}")]
    Invalid { name: String, reason: String },
}

/// The architecture of this name.
///
/// # Errors
/// An unknown name, or a size in the name that makes no sense.
pub fn architecture(name: &str) -> Result<Box<dyn Architecture>, ArchitectureError> {
    if name == "lenet-zhu" {
        return Ok(Box::new(LeNetZhu));
    }
    if let Some(width) = name.strip_prefix("convnet") {
        return Ok(Box::new(ConvNet::new(name, width)?));
    }
    Err(ArchitectureError::Unknown(name.into()))
}

/// All tensors of an architecture, in `state_dict` order.
pub fn declarations(architecture: &dyn Architecture, classes: usize) -> Vec<Declaration> {
    let mut tape = Tape::new();
    let [c, h, w] = architecture.image_shape();
    let x = tape.input(&[1, 1, c, h, w]);
    let mut net = Network::new(&mut tape, 1);
    architecture.forward(&mut net, x, classes);
    net.parameters.into_iter().map(|p| p.declaration).collect()
}
