//! The LeNet of "Deep Leakage from Gradients" (Zhu 2019): three 5×5 sigmoid convolutions with strides
//! 2, 2, 1 and one linear layer of 768 features. Everything starts from U(−0.5, 0.5).

use super::{Architecture, Init, Network, layers::Conv};
use crate::tape::Var;

pub struct LeNetZhu;

impl Architecture for LeNetZhu {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let init = Some(Init::Uniform(0.5));
        let mut y = x;
        for (name, stride) in [("body.0", 2), ("body.2", 2), ("body.4", 1)] {
            y = net.conv2d(name, y, Conv { outputs: 12, kernel: 5, stride, padding: 2 }, init);
            y = net.tape.sigmoid(y);
        }
        let features = net.flatten(y);
        net.linear("fc.0", features, classes, init)
    }

    fn image_shape(&self) -> [usize; 3] {
        [3, 32, 32]
    }
}
