//! torchvision's ResNets (He 2016), with its names: a stem, four stages of residual blocks, global average
//! pooling, a linear layer.

use super::{
    Architecture, Init, Network,
    layers::{Conv, Start},
    options::{ACTIVATION, NORM, STEM, Stem},
};
use crate::tape::Var;

pub(crate) struct ResNet {
    /// Blocks of each stage.
    pub blocks: [usize; 4],
    /// Blocks of 1×1, 3×3 and 1×1 convolutions with four times the width, in place of two 3×3.
    pub bottleneck: bool,
    pub stem: Stem,
}

impl Architecture for ResNet {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let mut y = match self.stem {
            Stem::Imagenet => {
                convolution(net, "conv1", x, Conv { outputs: 64, kernel: 7, stride: 2, padding: 3 })
            }
            Stem::Cifar => {
                convolution(net, "conv1", x, Conv { outputs: 64, kernel: 3, stride: 1, padding: 1 })
            }
        };
        y = net.normalise("bn1", y);
        y = net.activate(y);
        if self.stem == Stem::Imagenet {
            y = net.max_pool(y, 3, 2, 1);
        }
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                y = self.block(net, &format!("layer{}.{block}", stage + 1), y, 64 << stage, stride);
            }
        }
        let features = net.global_average_pool(y);
        net.linear("fc", features, classes, None)
    }

    fn default_image(&self) -> [usize; 3] {
        match self.stem {
            Stem::Imagenet => [3, 224, 224],
            Stem::Cifar => [3, 32, 32],
        }
    }

    fn any_size(&self) -> bool {
        true
    }

    fn options(&self) -> &'static [&'static str] {
        &[STEM, ACTIVATION, NORM]
    }
}

impl ResNet {
    fn block(&self, net: &mut Network, name: &str, x: Var, width: usize, stride: usize) -> Var {
        let wide = |kernel, stride| Conv { outputs: width, kernel, stride, padding: kernel / 2 };
        let outputs = if self.bottleneck { 4 * width } else { width };
        let projection = Conv { outputs, kernel: 1, stride: 1, padding: 0 };
        let convolutions = match self.bottleneck {
            true => vec![wide(1, 1), wide(3, stride), projection],
            false => vec![wide(3, stride), wide(3, 1)],
        };
        let mut y = x;
        for (i, &conv) in convolutions.iter().enumerate() {
            y = convolution(net, &format!("{name}.conv{}", i + 1), y, conv);
            y = net.normalise(&format!("{name}.bn{}", i + 1), y);
            if i + 1 < convolutions.len() {
                y = net.activate(y);
            }
        }
        let mut shortcut = x;
        if stride != 1 || net.tape.shape(x)[2] != outputs {
            let conv = Conv { stride, ..projection };
            shortcut = convolution(net, &format!("{name}.downsample.0"), x, conv);
            shortcut = net.normalise(&format!("{name}.downsample.1"), shortcut);
        }
        let sum = net.tape.add(y, shortcut);
        net.activate(sum)
    }
}

/// Without bias, `kaiming_normal_(mode="fan_out")`.
fn convolution(net: &mut Network, name: &str, x: Var, conv: Conv) -> Var {
    let init = Init::kaiming_normal(conv.outputs * conv.kernel * conv.kernel);
    net.conv2d(name, x, conv, Some(Start::without_bias(init)))
}
