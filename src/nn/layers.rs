//! Layers that own parameters. Activations are `(T,B,C,H,W)`, features `(T,B,D)`.

use super::{Init, Network, network::LinearLayer};
use crate::tape::{Var, spec::ConvSpec};

/// Sizes of a convolution layer; square kernels.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

/// How a layer with weight and bias starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub weight: Init,
    /// `None`: the layer has no bias.
    pub bias: Option<Init>,
}

impl Start {
    /// Both from one distribution.
    pub fn both(init: Init) -> Start {
        Start { weight: init, bias: Some(init) }
    }

    pub fn without_bias(weight: Init) -> Start {
        Start { weight, bias: None }
    }
}

impl Network<'_> {
    /// PyTorch's `Conv2d`: `(T,B,C,H,W) → (T,B,O,OH,OW)`. `start` in place of PyTorch's default.
    pub fn conv2d(&mut self, name: &str, x: Var, conv: Conv, start: Option<Start>) -> Var {
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
        let start = start.unwrap_or(Start::both(Init::fan_in(spec.patch_len())));
        let weight = self.parameter(&format!("{name}.weight"), &spec.weight_shape(1)[1..], start.weight);
        let bias = start.bias.map(|init| self.parameter(&format!("{name}.bias"), &[conv.outputs], init));
        self.convolve(x, weight, bias, spec)
    }

    /// PyTorch's `ConvTranspose2d`: `(T,B,I,H,W) → (T,B,O,OH,OW)`, weight `(I,O,kh,kw)`. `start` in place of PyTorch's
    /// default.
    pub(super) fn transposed_conv2d(&mut self, name: &str, x: Var, conv: Conv, start: Option<Start>) -> Var {
        let [_, batch, inputs, h, w] = self.tape.shape(x)[..] else { panic!("(T,B,I,H,W)") };
        // The gradient by the input of a convolution that makes so many channels of ours.
        let spec = ConvSpec {
            batch,
            channels: conv.outputs,
            outputs: inputs,
            size: [h, w].map(|n| (n - 1) * conv.stride + conv.kernel - 2 * conv.padding),
            kernel: [conv.kernel; 2],
            stride: [conv.stride; 2],
            padding: [conv.padding; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let start = start.unwrap_or(Start::both(Init::fan_in(spec.patch_len())));
        let weight = self.parameter(&format!("{name}.weight"), &spec.weight_shape(1)[1..], start.weight);
        let bias = start.bias.map(|init| self.parameter(&format!("{name}.bias"), &[conv.outputs], init));
        let y = self.tape.conv2d_grad_input(x, weight, spec);
        let Some(bias) = bias else { return y };
        let bias = self.per_channel(bias);
        self.tape.add(y, bias)
    }

    /// The convolution alone: weight `(T,O,C/g,kh,kw)`, bias `(T,O)`.
    pub(super) fn convolve(&mut self, x: Var, weight: Var, bias: Option<Var>, spec: ConvSpec) -> Var {
        let y = self.tape.conv2d(x, weight, spec);
        let Some(bias) = bias else { return y };
        let bias = self.per_channel(bias);
        self.tape.add(y, bias)
    }

    /// PyTorch's `Linear`: `(T,B,D) → (T,B,K)`, weight `(K,D)`.
    pub fn linear(&mut self, name: &str, x: Var, outputs: usize, start: Option<Start>) -> Var {
        let features = self.tape.shape(x)[2];
        let start = start.unwrap_or(Start::both(Init::fan_in(features)));
        let weight = self.parameter(&format!("{name}.weight"), &[outputs, features], start.weight);
        let bias = start.bias.map(|init| self.parameter(&format!("{name}.bias"), &[outputs], init));
        let y = self.project(x, weight, bias);
        self.linear.push(LinearLayer { name: name.into(), input: x, output: y, activated: None });
        y
    }

    /// The product alone: `(T,N,D) → (T,N,K)`, weight `(T,K,D)`, bias `(T,K)`.
    pub(super) fn project(&mut self, x: Var, weight: Var, bias: Option<Var>) -> Var {
        let outputs = self.tape.shape(weight)[1];
        let weight = self.tape.transpose(weight);
        let y = self.tape.matmul(x, weight);
        let Some(bias) = bias else { return y };
        let bias = self.tape.reshape(bias, &[self.trials, 1, outputs]);
        self.tape.add(y, bias)
    }
}
