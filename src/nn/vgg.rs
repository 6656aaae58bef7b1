//! torchvision's VGGs (Simonyan 2015), with its names and with or without batch norm. Dropout is the
//! identity, in train mode too: its mask is neither in the model nor in the update.

use super::{
    Architecture, Init, Network,
    layers::{Conv, Start},
    options::{ACTIVATION, NORM},
};
use crate::tape::Var;

pub(crate) struct Vgg {
    /// Convolutions before each of the five poolings.
    pub blocks: [usize; 5],
    pub normalised: bool,
}

impl Architecture for Vgg {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let mut y = x;
        let mut layer = 0;
        for (convolutions, outputs) in self.blocks.into_iter().zip([64, 128, 256, 512, 512]) {
            for _ in 0..convolutions {
                let weight = Init::kaiming_normal(outputs * 9);
                let start = Start { weight, bias: Some(Init::Constant(0.0)) };
                let conv = Conv { outputs, kernel: 3, stride: 1, padding: 1 };
                y = net.conv2d(&format!("features.{layer}"), y, conv, Some(start));
                layer += 1;
                if self.normalised {
                    y = net.normalise(&format!("features.{layer}"), y);
                    layer += 1;
                }
                y = net.activate(y);
                layer += 1;
            }
            y = net.max_pool(y, 2, 2, 0);
            layer += 1;
        }
        let pooled = net.adaptive_average_pool(y, [7, 7]);
        let mut features = net.flatten(pooled);
        let start = Start { weight: Init::Normal(0.01), bias: Some(Init::Constant(0.0)) };
        for name in ["classifier.0", "classifier.3"] {
            features = net.linear(name, features, 4096, Some(start));
            features = net.activate(features);
        }
        net.linear("classifier.6", features, classes, Some(start))
    }

    fn default_image(&self) -> [usize; 3] {
        [3, 224, 224]
    }

    fn any_size(&self) -> bool {
        true
    }

    fn smallest_side(&self) -> usize {
        32
    }

    fn options(&self) -> &'static [&'static str] {
        if self.normalised { &[ACTIVATION, NORM] } else { &[ACTIVATION] }
    }
}
