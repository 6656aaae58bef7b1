//! The ResNets for CIFAR-10 of He 2016, section 4.2, as the public weights name them (akamaster's
//! `pytorch_resnet_cifar10`): three stages of 16, 32 and 64 channels, shortcuts without parameters
//! (option A: every second pixel, zeros for the new channels), a linear layer called `linear`.

use super::{
    Architecture, Init, Network,
    layers::{Conv, Start},
    options::{ACTIVATION, NORM},
};
use crate::tape::Var;

pub(crate) struct CifarResNet {
    /// Blocks of each stage: (depth − 2) / 6.
    pub blocks: usize,
}

impl Architecture for CifarResNet {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let mut y = convolution(net, "conv1", x, 16, 1);
        y = net.normalise("bn1", y);
        y = net.activate(y);
        for (stage, width) in [16, 32, 64].into_iter().enumerate() {
            for block in 0..self.blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                y = basic_block(net, &format!("layer{}.{block}", stage + 1), y, width, stride);
            }
        }
        let features = net.global_average_pool(y);
        let width = net.tape.shape(features)[2];
        let start = Start { weight: Init::kaiming_normal(width), bias: Some(Init::fan_in(width)) };
        net.linear("linear", features, classes, Some(start))
    }

    fn any_size(&self) -> bool {
        true
    }

    fn options(&self) -> &'static [&'static str] {
        &[ACTIVATION, NORM]
    }
}

fn basic_block(net: &mut Network, name: &str, x: Var, width: usize, stride: usize) -> Var {
    let mut y = convolution(net, &format!("{name}.conv1"), x, width, stride);
    y = net.normalise(&format!("{name}.bn1"), y);
    y = net.activate(y);
    y = convolution(net, &format!("{name}.conv2"), y, width, 1);
    y = net.normalise(&format!("{name}.bn2"), y);
    let mut shortcut = x;
    if stride == 2 {
        let smaller = net.every_second(x);
        let mut shape = net.tape.shape(smaller).to_vec();
        let new = width - shape[2];
        shape[2] = width;
        shortcut = net.tape.pad(smaller, &[0, 0, new / 2, 0, 0], &shape);
    }
    let sum = net.tape.add(y, shortcut);
    net.activate(sum)
}

/// 3×3 without bias, `kaiming_normal_`.
fn convolution(net: &mut Network, name: &str, x: Var, outputs: usize, stride: usize) -> Var {
    let init = Init::kaiming_normal(net.tape.shape(x)[2] * 9);
    net.conv2d(name, x, Conv { outputs, kernel: 3, stride, padding: 1 }, Some(Start::without_bias(init)))
}
