//! What a generator is trained against: a network that tells pictures of the data from those that were made, with spectral
//! norm (Miyato 2018) and, where classes are known, a projection on the picture's class (Miyato & Koyama 2018).

use super::network;
use crate::{
    nn::{Declaration, Mode, Network, layers::Conv},
    tape::{Tape, Var},
};

/// Channels grow by these, each at half the side.
const WIDTHS: [usize; 4] = [1, 2, 4, 8];
/// Slope of its activations below 0.
const SLOPE: f64 = 0.2;

/// Convolutions 4×4 of stride 2 with f, 2f, 4f, 8f channels and leaky ReLU, then one number for the whole picture.
#[derive(Clone, Debug)]
pub struct Discriminator {
    /// Channels of the first convolution.
    pub f: usize,
    /// `[C, H, W]`
    pub image: [usize; 3],
    /// 0: pictures have none.
    pub classes: usize,
}

impl Discriminator {
    /// All tensors, in the order in which its layers use them.
    pub fn declarations(&self) -> Vec<Declaration> {
        let mut tape = Tape::new();
        let [c, h, w] = self.image;
        let [x, shares] = [tape.input(&[1, 1, c, h, w]), tape.input(&[1, 1, self.classes.max(1)])];
        let mut net = network(&mut tape, x, Mode::Train, None);
        self.layers(&mut net, x, shares);
        net.parameters.into_iter().map(|parameter| parameter.declaration).collect()
    }

    /// Above 0 for pictures of the data: pictures `(1,B,C,H,W)` in [−1, 1] and their classes' shares `(1,B,K)`, `(1,B,1)`.
    pub fn apply(&self, tape: &mut Tape, pictures: Var, shares: Var, values: &[Var]) -> Var {
        let mut net = network(tape, pictures, Mode::Train, Some(values.to_vec()));
        self.layers(&mut net, pictures, shares)
    }

    fn layers(&self, net: &mut Network, x: Var, shares: Var) -> Var {
        let mut y = x;
        for (layer, times) in WIDTHS.into_iter().enumerate() {
            let conv = Conv { outputs: times * self.f, kernel: 4, stride: 2, padding: 1 };
            y = net.spectral_conv2d(&format!("conv{layer}"), y, conv);
            let small = net.tape.mul_scalar(y, SLOPE);
            y = net.tape.max(y, small);
        }
        let [trials, batch, _, side, _] = net.tape.shape(y)[..] else { panic!("(T,B,C,H,W)") };
        let whole = |outputs| Conv { outputs, kernel: side, stride: 1, padding: 0 };
        let all = net.spectral_conv2d("all", y, whole(1));
        let all = net.tape.reshape(all, &[trials, batch, 1]);
        if self.classes == 0 {
            return all;
        }
        let each = net.spectral_conv2d("classes", y, whole(self.classes));
        let each = net.tape.reshape(each, &[trials, batch, self.classes]);
        let own = net.tape.mul(each, shares);
        let own = net.tape.sum(own, &[2]);
        let own = net.tape.reshape(own, &[trials, batch, 1]);
        net.tape.add(all, own)
    }
}
