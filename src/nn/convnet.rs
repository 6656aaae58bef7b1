//! The ConvNet of "Inverting Gradients" (Geiping 2020): eight 3×3 convolutions with batch norm and ReLU,
//! of widths w, 2w, 2w, 4w, 4w, 4w | 4w, 4w with 3×3 max pooling at the bars and the end, then a linear
//! layer (36w features at 32×32).

use super::{
    Architecture, ArchitectureError, Network,
    layers::Conv,
    options::{ACTIVATION, NORM},
};
use crate::tape::Var;

/// Largest width accepted: its linear layer alone then has 36 × 4096 inputs.
const MAX_WIDTH: usize = 4096;

pub(crate) struct ConvNet {
    width: usize,
}

impl ConvNet {
    /// `width` as it stands in the name, e.g. `64` in `convnet64`; empty means 64.
    pub(crate) fn new(name: &str, width: &str) -> Result<Self, ArchitectureError> {
        let parsed = if width.is_empty() { Some(64) } else { width.parse().ok() };
        match parsed {
            Some(width) if (1..=MAX_WIDTH).contains(&width) => Ok(ConvNet { width }),
            _ => Err(ArchitectureError::Invalid {
                name: name.into(),
                reason: format!("expected a width from 1 to {MAX_WIDTH} after 'convnet', found '{width}'"),
            }),
        }
    }
}

impl Architecture for ConvNet {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let mut y = x;
        for (i, multiple) in [1, 2, 2, 4, 4, 4, 4, 4].into_iter().enumerate() {
            let conv = Conv { outputs: multiple * self.width, kernel: 3, stride: 1, padding: 1 };
            y = net.conv2d(&format!("model.conv{i}"), y, conv, None);
            y = net.normalise(&format!("model.bn{i}"), y);
            y = net.activate(y);
            if i == 5 || i == 7 {
                y = net.max_pool(y, 3, 3, 0);
            }
        }
        let features = net.flatten(y);
        net.linear("model.linear", features, classes, None)
    }

    fn options(&self) -> &'static [&'static str] {
        &[ACTIVATION, NORM]
    }

    fn smallest_side(&self) -> usize {
        9
    }
}
