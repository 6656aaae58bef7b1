//! Layers that own parameters, and pooling. Activations are `(T,B,C,H,W)`, features `(T,B,D)`.

use super::{Init, Network};
use crate::tape::{
    Var,
    spec::{ConvSpec, WindowSpec},
};

/// Sizes of a convolution layer; square kernels.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Network<'_> {
    /// PyTorch's `Conv2d`: `(T,B,C,H,W) → (T,B,O,OH,OW)`. `init` overrides the default for weight and bias.
    pub fn conv2d(&mut self, name: &str, x: Var, conv: Conv, init: Option<Init>) -> Var {
        let [_, batch, channels, h, w] = self.tape.shape(x)[..] else { panic!("conv2d wants (T,B,C,H,W)") };
        let spec = ConvSpec {
            batch,
            channels,
            outputs: conv.outputs,
            size: [h, w],
            kernel: [conv.kernel; 2],
            stride: [conv.stride; 2],
            padding: [conv.padding; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let init = init.unwrap_or(Init::fan_in(spec.patch_len()));
        let weight = self.parameter(&format!("{name}.weight"), &spec.weight_shape(1)[1..], init);
        let bias = self.parameter(&format!("{name}.bias"), &[conv.outputs], init);
        let y = self.tape.conv2d(x, weight, spec);
        let bias = self.per_channel(bias);
        self.tape.add(y, bias)
    }

    /// PyTorch's `Linear`: `(T,B,D) → (T,B,K)`, weight `(K,D)`.
    pub fn linear(&mut self, name: &str, x: Var, outputs: usize, init: Option<Init>) -> Var {
        let features = self.tape.shape(x)[2];
        let init = init.unwrap_or(Init::fan_in(features));
        let weight = self.parameter(&format!("{name}.weight"), &[outputs, features], init);
        let bias = self.parameter(&format!("{name}.bias"), &[outputs], init);
        let weight = self.tape.transpose(weight);
        let y = self.tape.matmul(x, weight);
        let bias = self.tape.reshape(bias, &[self.trials, 1, outputs]);
        self.tape.add(y, bias)
    }

    /// PyTorch's `BatchNorm2d` in eval mode, with running statistics: (x − μ)/√(σ² + 1e-5)·γ + β.
    pub fn batch_norm(&mut self, name: &str, x: Var) -> Var {
        const EPSILON: f64 = 1e-5;
        let channels = self.tape.shape(x)[2];
        let gamma = self.parameter(&format!("{name}.weight"), &[channels], Init::Constant(1.0));
        let beta = self.parameter(&format!("{name}.bias"), &[channels], Init::Constant(0.0));
        let mean = self.buffer(&format!("{name}.running_mean"), &[channels], Init::Constant(0.0));
        let variance = self.buffer(&format!("{name}.running_var"), &[channels], Init::Constant(1.0));
        let t = &mut *self.tape;
        let variance = t.add_scalar(variance, EPSILON);
        let inverse = t.rsqrt(variance);
        let [gamma, beta, mean, inverse] = [gamma, beta, mean, inverse].map(|v| self.per_channel(v));
        let t = &mut *self.tape;
        let centred = t.sub(x, mean);
        let normal = t.mul(centred, inverse);
        let scaled = t.mul(normal, gamma);
        t.add(scaled, beta)
    }

    /// PyTorch's `MaxPool2d` with stride = kernel and no padding.
    pub fn max_pool(&mut self, x: Var, kernel: usize) -> Var {
        let shape = self.tape.shape(x);
        let spec = WindowSpec {
            size: [shape[shape.len() - 2], shape[shape.len() - 1]],
            kernel: [kernel; 2],
            stride: [kernel; 2],
            padding: [0; 2],
        };
        let index = self.tape.window_argmax(x, spec);
        self.tape.window_gather(x, index, spec)
    }

    /// `(T,B,C,H,W) → (T,B,C·H·W)`.
    pub fn flatten(&mut self, x: Var) -> Var {
        let shape = self.tape.shape(x);
        let features = shape[2..].iter().product();
        let flat = [shape[0], shape[1], features];
        self.tape.reshape(x, &flat)
    }

    /// `(T,C) → (T,1,C,1,1)`, to broadcast over activations.
    fn per_channel(&mut self, v: Var) -> Var {
        let channels = self.tape.shape(v)[1];
        self.tape.reshape(v, &[self.trials, 1, channels, 1, 1])
    }
}
