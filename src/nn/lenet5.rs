//! LeNet-5 (LeCun 1998) as PyTorch's tutorials write it: two 5×5 convolutions with 2×2 max pooling, three
//! linear layers, ReLU.

use super::{Architecture, Network, layers::Conv, options::ACTIVATION};
use crate::tape::Var;

pub(crate) struct LeNet5;

impl Architecture for LeNet5 {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let mut y = x;
        for (name, outputs) in [("conv1", 6), ("conv2", 16)] {
            y = net.conv2d(name, y, Conv { outputs, kernel: 5, stride: 1, padding: 0 }, None);
            y = net.activate(y);
            y = net.max_pool(y, 2, 2, 0);
        }
        let mut features = net.flatten(y);
        for (name, outputs) in [("fc1", 120), ("fc2", 84)] {
            features = net.linear(name, features, outputs, None);
            features = net.activate(features);
        }
        net.linear("fc3", features, classes, None)
    }

    fn smallest_side(&self) -> usize {
        16
    }

    fn options(&self) -> &'static [&'static str] {
        &[ACTIVATION]
    }
}
