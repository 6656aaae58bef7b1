//! The LeNet of "Deep Leakage from Gradients" (Zhu 2019): three 5×5 sigmoid convolutions with strides
//! 2, 2, 1 and one linear layer of 768 features (at 32×32). Everything starts from U(−0.5, 0.5).

use super::{
    Architecture, Init, Network,
    architecture::Depth,
    layers::{Conv, Start},
    options::{ACTIVATION, Activation},
};
use crate::tape::Var;

pub(crate) struct LeNetZhu;

impl Architecture for LeNetZhu {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let start = Some(Start::both(Init::Uniform(0.5)));
        let mut y = x;
        for (name, stride) in [("body.0", 2), ("body.2", 2), ("body.4", 1)] {
            y = net.conv2d(name, y, Conv { outputs: 12, kernel: 5, stride, padding: 2 }, start);
            y = net.activate(y);
        }
        let features = net.flatten(y);
        net.linear("fc.0", features, classes, start)
    }

    fn options(&self) -> &'static [&'static str] {
        &[ACTIVATION]
    }

    fn activation(&self) -> Activation {
        Activation::Sigmoid
    }

    fn depth(&self) -> Depth {
        Depth::Shallow
    }
}
