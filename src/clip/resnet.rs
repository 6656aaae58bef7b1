//! OpenAI's ResNets as image towers (Radford 2021, §2.4): three convolutions as a stem, averages in front of every
//! stride, and one attention over the last feature map in place of its mean.

use super::{
    config::{Claim, Size},
    taken::Tensors,
    tower::Frozen,
};
use crate::{
    nn::attention::{Heads as Sizes, attention_of_one},
    tape::{
        Tape, Var,
        spec::{ConvSpec, WindowSpec},
    },
};

/// By how much the feature map is smaller than the picture.
pub(crate) const REDUCTION: usize = 32;

pub struct ResNet {
    /// Blocks of each stage.
    pub stages: [usize; 4],
    pub heads: usize,
    /// Side of the pictures.
    pub image_size: usize,
    /// Convolutions `(O,C,k,k)` with the batch norm behind them folded in, and the attention's matrices `(in,out)`.
    pub tensors: Tensors,
}

impl ResNet {
    /// Width `E` of the features.
    pub fn projection(&self) -> usize {
        self.tensors["out.weight"].shape[1]
    }

    /// What a file's claim says of these tensors, or what they say instead.
    pub fn contradiction(&self, claim: &Claim) -> Option<String> {
        let width = self.tensors["conv3.weight"].shape[0];
        let side = (self.tensors["position"].shape[0] - 1).isqrt() * REDUCTION;
        match claim {
            Claim::Size(Size::Width, said) if *said != width => {
                Some(format!("{width}, the width of the stem"))
            }
            Claim::Size(Size::Image, said) if *said != side => {
                Some(format!("{side}, the side of the pictures"))
            }
            _ => None,
        }
    }

    /// `pixels (B,3,S,S)`, normalised, to features `(B,E)`, of any length.
    pub fn encode(&self, tape: &mut Tape, weights: &mut Frozen, pixels: Var) -> Var {
        let [batch, channels, size, _] = tape.shape(pixels)[..] else { panic!("pixels are (B,3,S,S)") };
        let mut x = tape.reshape(pixels, &[1, batch, channels, size, size]);
        for (name, stride) in [("conv1", 2), ("conv2", 1), ("conv3", 1)] {
            x = self.convolution(tape, weights, name, x, stride);
            x = tape.relu(x);
        }
        x = halved(tape, x);
        for (stage, blocks) in self.stages.into_iter().enumerate() {
            for block in 0..blocks {
                let name = format!("layer{}.{block}", stage + 1);
                x = self.block(tape, weights, &name, x, stage > 0 && block == 0);
            }
        }
        self.attention_pool(tape, weights, x)
    }

    fn block(&self, tape: &mut Tape, weights: &mut Frozen, name: &str, x: Var, halve: bool) -> Var {
        let name = |part: &str| format!("{name}.{part}");
        let y = self.convolution(tape, weights, &name("conv1"), x, 1);
        let y = tape.relu(y);
        let y = self.convolution(tape, weights, &name("conv2"), y, 1);
        let mut y = tape.relu(y);
        let mut shortcut = x;
        if halve {
            y = halved(tape, y);
            shortcut = halved(tape, x);
        }
        let y = self.convolution(tape, weights, &name("conv3"), y, 1);
        if self.tensors.contains_key(&name("downsample.0.weight")) {
            shortcut = self.convolution(tape, weights, &name("downsample.0"), shortcut, 1);
        }
        let sum = tape.add(y, shortcut);
        tape.relu(sum)
    }

    /// With its bias, on `(1,B,C,H,W)`; padded so that the size stays, but for the stride.
    fn convolution(&self, tape: &mut Tape, weights: &mut Frozen, name: &str, x: Var, stride: usize) -> Var {
        let [_, batch, channels, h, w] = tape.shape(x)[..] else { panic!("(1,B,C,H,W)") };
        let [outputs, _, kernel, _] = self.tensors[&format!("{name}.weight")].shape[..] else {
            panic!("(O,C,k,k)")
        };
        let spec = ConvSpec {
            batch,
            channels,
            outputs,
            size: [h, w],
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [kernel / 2; 2],
            dilation: [1; 2],
            groups: 1,
        };
        let weight = weights.input(tape, &format!("{name}.weight"), &spec.weight_shape(1));
        let y = tape.conv2d(x, weight, spec);
        let bias = weights.input(tape, &format!("{name}.bias"), &[1, 1, outputs, 1, 1]);
        tape.add(y, bias)
    }

    /// What the mean of all pixels, as one more of them, reads in all.
    fn attention_pool(&self, tape: &mut Tape, weights: &mut Frozen, x: Var) -> Var {
        let [_, batch, width, h, w] = tape.shape(x)[..] else { panic!("(1,B,C,H,W)") };
        let x = tape.reshape(x, &[batch, width, h * w]);
        let x = tape.transpose(x);
        let mean = tape.mean(x, &[1]);
        let x = tape.concat(&[mean, x], 1);
        let tokens = h * w + 1;
        let position = weights.input(tape, "position", &[1, tokens, width]);
        let x = tape.add(x, position);
        let query = tape.narrow(x, 1, 0, 1);
        let query = tape.reshape(query, &[1, batch, width]);
        let query = weights.linear(tape, "query", query);
        let x = tape.reshape(x, &[1, batch * tokens, width]);
        let matrices = ["key.weight", "value.weight"].map(|name| weights.matrix(tape, name));
        let read = attention_of_one(tape, query, x, matrices, Sizes { batch, tokens, heads: self.heads });
        let bias = weights.vector(tape, "value.bias");
        let read = tape.add(read, bias);
        let features = weights.linear(tape, "out", read);
        tape.reshape(features, &[batch, self.projection()])
    }
}

/// Means of 2×2 pixels.
fn halved(tape: &mut Tape, x: Var) -> Var {
    let [.., h, w] = tape.shape(x)[..] else { panic!("(1,B,C,H,W)") };
    let spec = WindowSpec { size: [h, w], kernel: [2; 2], stride: [2; 2], padding: [0; 2] };
    let sum = tape.window_sum(x, spec);
    tape.mul_scalar(sum, 0.25)
}
