//! The decoder of CI-Net (Zhang 2023), which nobody trains: what it can make easily looks like a picture.

use super::Generator;
use crate::{
    nn::{Mode, Network, layers::Conv},
    tape::{Var, spec::WindowSpec},
};

/// Numbers that a picture is made of.
const LATENT: usize = 128;
/// Least channels.
const WIDTH: usize = 32;
/// Side of what the first convolution makes.
const SIDE: usize = 4;
/// Slope of its activations below 0.
const SLOPE: f64 = 0.1;
/// At least so many parameters for every pixel of one channel.
const PARAMETERS: usize = 4;

/// A transposed convolution to 4×4, then two 3×3 convolutions at each side 4, 8, 16, …, with spectral norm, batch norm
/// and leaky ReLU, and a 1×1 convolution with tanh to the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    image: [usize; 3],
    /// Of all layers but the last.
    width: usize,
    /// Sides 4·2⁰ … 4·2^(levels − 1)
    levels: u32,
}

impl Decoder {
    /// For a batch of so many pictures: its width is doubled from 32 until it has 4 parameters for every pixel of one
    /// channel. Sides that are not 4·2^k are cut out of the next larger.
    pub fn new(batch: usize, image: [usize; 3]) -> Decoder {
        let [_, height, width] = image;
        let longest = height.max(width).max(SIDE);
        let levels = longest.div_ceil(SIDE).next_power_of_two().ilog2() + 1;
        let side = SIDE << (levels - 1);
        let mut decoder = Decoder { image, width: WIDTH, levels };
        while decoder.parameters() < PARAMETERS * batch * side * side {
            decoder.width *= 2;
        }
        decoder
    }

    /// The same of another width.
    pub fn of_width(self, width: usize) -> Decoder {
        Decoder { width, ..self }
    }

    /// Channels of all layers but the last.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Values that an attack moves.
    pub fn parameters(&self) -> usize {
        let (c, colours) = (self.width, self.image[0]);
        let first = LATENT * c * SIDE * SIDE + 3 * c;
        first + 2 * self.levels as usize * (9 * c * c + 3 * c) + colours * (c + 1)
    }

    fn convolution(&self, net: &mut Network, name: &str, x: Var) -> Var {
        let conv = Conv { outputs: self.width, kernel: 3, stride: 1, padding: 1 };
        let y = net.spectral_conv2d(&format!("{name}.conv"), x, conv);
        self.bend(net, name, y)
    }

    fn bend(&self, net: &mut Network, name: &str, x: Var) -> Var {
        let y = net.batch_norm_of_batch(&format!("{name}.norm"), x);
        let small = net.tape.mul_scalar(y, SLOPE);
        net.tape.max(y, small)
    }

    /// The middle of larger pictures.
    fn cut(&self, net: &mut Network, x: Var) -> Var {
        let [trials, batch, channels, h, w] = net.tape.shape(x)[..] else { panic!("(T,B,C,H,W)") };
        let [_, height, width] = self.image;
        let start = [0, 0, 0, (h - height) / 2, (w - width) / 2];
        net.tape.slice(x, &start, &[trials, batch, channels, height, width])
    }
}

impl Generator for Decoder {
    fn image(&self) -> [usize; 3] {
        self.image
    }

    fn latent(&self) -> usize {
        LATENT
    }

    /// One a side, and the last convolution.
    fn stages(&self) -> usize {
        self.levels as usize + 1
    }

    fn stage(&self, net: &mut Network, stage: usize, x: Var) -> Var {
        let mut y = x;
        if stage == self.levels as usize {
            let conv = Conv { outputs: self.image[0], kernel: 1, stride: 1, padding: 0 };
            let y = net.conv2d("to_picture", y, conv, None);
            let y = net.tape.tanh(y);
            return self.cut(net, y);
        }
        if stage == 0 {
            let [trials, batch] = [net.tape.shape(y)[0], net.tape.shape(y)[1]];
            y = net.tape.reshape(y, &[trials, batch, LATENT, 1, 1]);
            let conv = Conv { outputs: self.width, kernel: SIDE, stride: 1, padding: 0 };
            y = net.transposed_conv2d("input.conv", y, conv, None);
            y = self.bend(net, "input", y);
        } else {
            y = twice(net, y);
        }
        let side = SIDE << stage;
        y = self.convolution(net, &format!("side{side}.0"), y);
        self.convolution(net, &format!("side{side}.1"), y)
    }

    fn mode(&self) -> Mode {
        Mode::Train
    }
}

/// Every pixel four times: nearest neighbours at twice the side.
fn twice(net: &mut Network, x: Var) -> Var {
    let shape = net.tape.shape(x);
    let size = [2 * shape[3], 2 * shape[4]];
    net.tape.window_spread(x, WindowSpec { size, kernel: [2; 2], stride: [2; 2], padding: [0; 2] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::generator::declarations;

    fn counted(decoder: &Decoder) -> usize {
        let own = declarations(decoder).into_iter().filter(|d| d.trainable);
        own.map(|d| d.shape.iter().product::<usize>()).sum()
    }

    #[test]
    fn the_width_grows_with_the_batch_as_published() {
        let decoder = |batch, image| Decoder::new(batch, image);
        assert_eq!(counted(&decoder(1, [3, 32, 32])), 140_227);
        for (batch, width) in [(1, 32), (34, 32), (35, 64), (128, 128)] {
            let decoder = decoder(batch, [3, 32, 32]);
            assert_eq!(decoder.width(), width, "{batch}");
            assert_eq!(counted(&decoder), decoder.parameters());
        }
        // The next larger side counts.
        assert_eq!(decoder(35, [1, 28, 28]).width(), 64);
        assert_eq!(decoder(1, [3, 5, 9]).levels, 3);
        assert_eq!(decoder(1, [3, 3, 2]).levels, 1);
        assert_eq!(decoder(1, [3, 224, 224]).levels, 7);
    }
}
