//! A nine-layer ResNet for small pictures (Page 2018, "How to train your ResNet"): convolutions of widths w, 2w, 4w,
//! 8w, residual blocks after the second and the last, each stage after the first at half the size, global average
//! pooling, a linear layer. Pooling stands before batch norm, where it is cheaper and says the same.

use super::{
    Architecture, ArchitectureError, Init, Network,
    layers::{Conv, Start},
    options::{ACTIVATION, NORM},
};
use crate::tape::Var;

/// Largest width accepted: beyond it is a mistake.
const MAX_WIDTH: usize = 1024;

pub(crate) struct ResNet9 {
    width: usize,
}

impl ResNet9 {
    /// `width` as it stands in the name behind a hyphen, e.g. `-32` in `resnet9-32`; empty means 64, as in the source.
    pub(crate) fn new(name: &str, width: &str) -> Result<Self, ArchitectureError> {
        let parsed = match width.strip_prefix('-') {
            _ if width.is_empty() => Some(64),
            Some(digits) => digits.parse().ok(),
            None => None,
        };
        match parsed {
            Some(width) if (1..=MAX_WIDTH).contains(&width) => Ok(ResNet9 { width }),
            _ => Err(ArchitectureError::Invalid {
                name: name.into(),
                reason: format!(
                    "expected '-' and a width from 1 to {MAX_WIDTH} after 'resnet9', found '{width}'"
                ),
            }),
        }
    }
}

impl Architecture for ResNet9 {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let w = self.width;
        let mut y = block(net, "prep", x, w, false);
        y = block(net, "layer1", y, 2 * w, true);
        y = residual(net, "layer1.residual", y);
        y = block(net, "layer2", y, 4 * w, true);
        y = block(net, "layer3", y, 8 * w, true);
        y = residual(net, "layer3.residual", y);
        let features = net.global_average_pool(y);
        net.linear("fc", features, classes, None)
    }

    fn any_size(&self) -> bool {
        true
    }

    fn smallest_side(&self) -> usize {
        8
    }

    fn options(&self) -> &'static [&'static str] {
        &[ACTIVATION, NORM]
    }
}

/// 3×3 convolution without bias, perhaps 2×2 max pooling, batch norm, activation.
fn block(net: &mut Network, name: &str, x: Var, outputs: usize, pooled: bool) -> Var {
    let init = Init::kaiming_normal(net.tape.shape(x)[2] * 9);
    let conv = Conv { outputs, kernel: 3, stride: 1, padding: 1 };
    let mut y = net.conv2d(&format!("{name}.conv"), x, conv, Some(Start::without_bias(init)));
    if pooled {
        y = net.max_pool(y, 2, 2, 0);
    }
    y = net.normalise(&format!("{name}.bn"), y);
    net.activate(y)
}

/// x + block(block(x))
fn residual(net: &mut Network, name: &str, x: Var) -> Var {
    let width = net.tape.shape(x)[2];
    let y = block(net, &format!("{name}.0"), x, width, false);
    let y = block(net, &format!("{name}.1"), y, width, false);
    net.tape.add(x, y)
}
