//! Vision transformers (Dosovitskiy 2021) with torchvision's names: patches, a class token, learned positions, blocks of
//! attention and an MLP that normalise first, a linear layer on the class token. Dropout is the identity.

use super::{
    Architecture, Init, Network, PatchEmbedding,
    attention::attention_of_scale,
    gelu::gelu,
    layer_norm::layer_norm,
    layers::{Conv, Start},
};
use crate::tape::Var;

/// torchvision's, of every norm.
const EPSILON: f64 = 1e-6;

/// Sizes of a vision transformer.
#[derive(Clone, Copy, Debug)]
pub struct Vit {
    /// Side of a picture, where nothing else says.
    pub side: usize,
    /// Side of a patch.
    pub patch: usize,
    /// `D`, a multiple of the heads.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Of every attention.
    pub heads: usize,
    /// Of the hidden layer of a block's MLP.
    pub hidden: usize,
}

impl Vit {
    /// torchvision's `vit_b_16`.
    pub const B16: Vit = Vit { side: 224, patch: 16, width: 768, layers: 12, heads: 12, hidden: 3072 };
    /// The sizes of DeiT's tiny one (Touvron 2021) with patches of 4, for pictures of 32×32.
    pub const TINY: Vit = Vit { side: 32, patch: 4, width: 192, layers: 12, heads: 3, hidden: 768 };

    /// One block of `x (T,B,L,D)`.
    fn block(&self, net: &mut Network, name: &str, x: Var) -> Var {
        let normal = norm(net, &format!("{name}.ln_1"), x);
        let attended = self.attend(net, &format!("{name}.self_attention"), normal);
        let x = net.tape.add(x, attended);
        let normal = norm(net, &format!("{name}.ln_2"), x);
        let xavier = Init::Uniform((6.0 / (self.width + self.hidden) as f32).sqrt());
        let start = Start { weight: xavier, bias: Some(Init::Normal(1e-6)) };
        let hidden = dense(net, &format!("{name}.mlp.0."), normal, self.hidden, start);
        let hidden = gelu(net.tape, hidden);
        let result = dense(net, &format!("{name}.mlp.3."), hidden, self.width, start);
        net.tape.add(x, result)
    }

    fn attend(&self, net: &mut Network, name: &str, x: Var) -> Var {
        let [trials, batch, tokens, width] = net.tape.shape(x)[..] else { panic!("(T,B,L,D)") };
        let xavier = Init::Uniform((6.0 / (4 * width) as f32).sqrt());
        let start = Start { weight: xavier, bias: Some(Init::Constant(0.0)) };
        let together = dense(net, &format!("{name}.in_proj_"), x, 3 * width, start);
        let each = width / self.heads;
        let parts = [0, 1, 2].map(|i| {
            let part = net.tape.narrow(together, 3, i * width, width);
            let part = net.tape.reshape(part, &[trials, batch, tokens, self.heads, each]);
            let part = net.tape.permute(part, &[0, 1, 3, 2, 4]);
            net.tape.reshape(part, &[trials * batch * self.heads, tokens, each])
        });
        let read = attention_of_scale(net.tape, parts, 1.0 / (each as f64).sqrt(), None);
        let read = net.tape.reshape(read, &[trials, batch, self.heads, tokens, each]);
        let read = net.tape.permute(read, &[0, 1, 3, 2, 4]);
        let read = net.tape.reshape(read, &[trials, batch, tokens, width]);
        let start = Start { weight: Init::fan_in(width), bias: Some(Init::Constant(0.0)) };
        dense(net, &format!("{name}.out_proj."), read, width, start)
    }
}

/// A linear layer of every token, `(T,B,L,D) → (T,B,L,K)`; the tensors are `<prefix>weight` and `<prefix>bias`.
fn dense(net: &mut Network, prefix: &str, x: Var, outputs: usize, start: Start) -> Var {
    let [trials, batch, tokens, inputs] = net.tape.shape(x)[..] else { panic!("(T,B,L,D)") };
    let weight = net.parameter(&format!("{prefix}weight"), &[outputs, inputs], start.weight);
    let bias = start.bias.map(|init| net.parameter(&format!("{prefix}bias"), &[outputs], init));
    let rows = net.tape.reshape(x, &[trials, batch * tokens, inputs]);
    let y = net.project(rows, weight, bias);
    net.tape.reshape(y, &[trials, batch, tokens, outputs])
}

fn norm(net: &mut Network, name: &str, x: Var) -> Var {
    let width = *net.tape.shape(x).last().expect("(T,B,L,D)");
    let [gamma, beta] = [("weight", 1.0), ("bias", 0.0)].map(|(part, value)| {
        let v = net.parameter(&format!("{name}.{part}"), &[width], Init::Constant(value));
        net.tape.reshape(v, &[net.trials, 1, 1, width])
    });
    layer_norm(net.tape, x, gamma, beta, EPSILON)
}

impl Architecture for Vit {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let class = net.parameter("class_token", &[1, 1, self.width], Init::Constant(0.0));
        let channels = net.tape.shape(x)[2];
        let conv = Conv { outputs: self.width, kernel: self.patch, stride: self.patch, padding: 0 };
        let spread = (1.0 / (channels * self.patch * self.patch) as f32).sqrt();
        let start = Start { weight: Init::Normal(spread), bias: Some(Init::Constant(0.0)) };
        let patches = net.conv2d("conv_proj", x, conv, Some(start));
        let [trials, batch, width, h, w] = net.tape.shape(patches)[..] else { panic!("(T,B,D,h,w)") };
        let patches = net.tape.reshape(patches, &[trials, batch, width, h * w]);
        let patches = net.tape.permute(patches, &[0, 1, 3, 2]);
        let class = net.tape.broadcast_to(class, &[trials, batch, 1, width]);
        let tokens = net.tape.concat(&[class, patches], 2);
        let places = net.parameter("encoder.pos_embedding", &[1, h * w + 1, width], Init::Normal(0.02));
        let mut y = net.tape.add(tokens, places);
        for layer in 0..self.layers {
            y = self.block(net, &format!("encoder.layers.encoder_layer_{layer}"), y);
        }
        y = norm(net, "encoder.ln", y);
        let first = net.tape.narrow(y, 2, 0, 1);
        let features = net.tape.reshape(first, &[trials, batch, width]);
        // torchvision's zeros would leave every other gradient 0 in an untrained victim.
        let start = Start { weight: Init::Normal(0.02), bias: Some(Init::Constant(0.0)) };
        net.linear("heads.head", features, classes, Some(start))
    }

    fn default_image(&self) -> [usize; 3] {
        [3, self.side, self.side]
    }

    fn patch_embedding(&self) -> Option<PatchEmbedding> {
        Some(PatchEmbedding {
            weight: "conv_proj.weight".into(),
            positions: "encoder.pos_embedding".into(),
            first: 1,
            patch: [self.patch; 2],
        })
    }

    fn smallest_side(&self) -> usize {
        self.patch
    }

    fn options(&self) -> &'static [&'static str] {
        &[]
    }
}
