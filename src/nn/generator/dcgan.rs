//! DCGAN's generator (Radford 2016), with the names that PyTorch's example gives its tensors: transposed convolutions
//! `main.0`, `main.3`, …, each but the last with batch norm (`main.1`, …) and ReLU, and tanh at the end.

use super::Generator;
use crate::{
    nn::{
        Init, Mode, Network,
        layers::{Conv, Start},
    },
    tape::Var,
};

/// Numbers of a picture, where nobody says otherwise.
const NUMBERS: usize = 100;
/// Kernel of all transposed convolutions but perhaps the last.
const KERNEL: usize = 4;
/// Deviation of weights that nobody trained.
const DEVIATION: f32 = 0.02;
/// More than any published generator has.
const MOST_LAYERS: usize = 10;
const WIDEST: usize = 1 << 16;

/// Where its batch norm takes its statistics from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Norms {
    /// The batch, and nothing is kept of it.
    Batch,
    /// The batch, whose statistics move the running ones.
    Learning,
    Running,
}

/// Its sizes, which the shapes of its tensors say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dcgan {
    /// Numbers of a picture, a class's share among them.
    latent: usize,
    /// Of these, the last are the classes' shares; 0: it knows no classes.
    classes: usize,
    /// Channels of the hidden layers, at sides 4, 8, 16, …
    widths: Vec<usize>,
    /// Of its pictures.
    channels: usize,
    /// 4, which doubles the side once more, or 1.
    last_kernel: usize,
    norms: Norms,
}

impl Dcgan {
    /// For pictures of 32×32: 100 numbers, widths 8f, 4f, 2f, f, a 1×1 convolution. Nobody trained it, so that it has no
    /// statistics but those of a batch.
    pub fn untrained(f: usize, channels: usize) -> Dcgan {
        let widths = [8, 4, 2, 1].map(|times| times * f).to_vec();
        Dcgan { latent: NUMBERS, classes: 0, widths, channels, last_kernel: 1, norms: Norms::Batch }
    }

    /// The same, to be trained: with running statistics, and with the shares of so many classes beside its numbers.
    pub fn to_train(f: usize, channels: usize, classes: usize) -> Dcgan {
        let untrained = Dcgan::untrained(f, channels);
        Dcgan { latent: NUMBERS + classes, classes, norms: Norms::Learning, ..untrained }
    }

    /// The same with the running statistics.
    pub fn trained(self) -> Dcgan {
        Dcgan { norms: Norms::Running, ..self }
    }

    /// The same whose last numbers are the shares of so many classes.
    ///
    /// # Errors
    /// It has no more numbers than classes.
    pub fn with_classes(self, classes: usize) -> Result<Dcgan, String> {
        match classes < self.latent {
            true => Ok(Dcgan { classes, ..self }),
            false => Err(format!("{classes} classes: expected fewer than its {} numbers", self.latent)),
        }
    }

    /// As the tensors of a file say, in eval mode. `shape`: of a tensor of this name, where it is there.
    ///
    /// # Errors
    /// What is missing or odd, in words.
    pub fn of_shapes<'s>(shape: impl Fn(&str) -> Option<&'s [usize]>) -> Result<Dcgan, String> {
        let weight = |layer: usize| format!("main.{}.weight", 3 * layer);
        let layers = (0..MOST_LAYERS).take_while(|&layer| shape(&weight(layer)).is_some()).count();
        if layers < 2 {
            return Err(format!("no generator's: expected '{}' and '{}'", weight(0), weight(1)));
        }
        let (mut widths, mut before, mut latent) = (vec![], None, 0);
        let (mut channels, mut last_kernel) = (0, 0);
        for layer in 0..layers {
            let name = weight(layer);
            let found = shape(&name).unwrap_or_default();
            let odd = |expected: &str| Err(format!("'{name}': expected {expected}, found {found:?}"));
            let &[inputs, outputs, kh, kw] = found else {
                return odd("four axes, as a transposed convolution has");
            };
            if kh != kw || [inputs, outputs].iter().any(|n| !(1..=WIDEST).contains(n)) {
                return odd("a square kernel and channels");
            }
            if before.is_some_and(|before| before != inputs) {
                return odd("as many inputs as the layer before has outputs");
            }
            if layer + 1 == layers {
                if !matches!(kh, 1 | KERNEL) {
                    return odd("a kernel of 1 or 4");
                }
                (channels, last_kernel) = (outputs, kh);
            } else {
                if kh != KERNEL {
                    return odd("a kernel of 4");
                }
                widths.push(outputs);
            }
            latent = if layer == 0 { inputs } else { latent };
            before = Some(outputs);
        }
        Ok(Dcgan { latent, classes: 0, widths, channels, last_kernel, norms: Norms::Running })
    }
}

impl Generator for Dcgan {
    fn image(&self) -> [usize; 3] {
        let hidden = KERNEL << (self.widths.len() - 1);
        let side = if self.last_kernel == KERNEL { 2 * hidden } else { hidden };
        [self.channels, side, side]
    }

    fn latent(&self) -> usize {
        self.latent
    }

    fn classes(&self) -> usize {
        self.classes
    }

    /// One a transposed convolution.
    fn stages(&self) -> usize {
        self.widths.len() + 1
    }

    fn stage(&self, net: &mut Network, stage: usize, x: Var) -> Var {
        let start = Start::without_bias(Init::Normal(DEVIATION));
        let name = format!("main.{}", 3 * stage);
        if stage == self.widths.len() {
            let (stride, padding) = if self.last_kernel == KERNEL { (2, 1) } else { (1, 0) };
            let conv = Conv { outputs: self.channels, kernel: self.last_kernel, stride, padding };
            let y = net.transposed_conv2d(&name, x, conv, Some(start));
            return net.tape.tanh(y);
        }
        let (mut y, stride, padding) = (x, if stage == 0 { 1 } else { 2 }, usize::from(stage > 0));
        if stage == 0 {
            let [trials, batch] = [net.tape.shape(y)[0], net.tape.shape(y)[1]];
            y = net.tape.reshape(y, &[trials, batch, self.latent, 1, 1]);
        }
        let conv = Conv { outputs: self.widths[stage], kernel: KERNEL, stride, padding };
        let y = net.transposed_conv2d(&name, y, conv, Some(start));
        let norm = format!("main.{}", 3 * stage + 1);
        let y = match self.norms {
            Norms::Batch => net.batch_norm_of_batch(&norm, y),
            Norms::Learning | Norms::Running => net.normalise(&norm, y),
        };
        net.tape.relu(y)
    }

    fn mode(&self) -> Mode {
        match self.norms {
            Norms::Batch | Norms::Learning => Mode::Train,
            Norms::Running => Mode::Eval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::generator::declarations;

    #[test]
    fn sizes_follow_from_the_shapes_of_the_tensors() {
        let small = Dcgan::untrained(32, 3);
        assert_eq!(small.image(), [3, 32, 32]);
        let own: usize = declarations(&small)
            .iter()
            .filter(|d| d.trainable)
            .map(|d| d.shape.iter().product::<usize>())
            .sum();
        // 1.10 million.
        assert_eq!(own, 100 * 256 * 16 + (256 * 128 + 128 * 64 + 64 * 32) * 16 + 32 * 3 + 2 * 480);
        let all = declarations(&small);
        let shape = |name: &str| all.iter().find(|d| d.name == name).map(|d| &d.shape[..]);
        let read = Dcgan::of_shapes(shape).unwrap();
        assert_eq!(read, small.trained());
        let refused = |change: &dyn Fn(&str) -> Option<&'static [usize]>, words: &str| {
            let error = Dcgan::of_shapes(|name| change(name).or_else(|| shape(name))).unwrap_err();
            assert!(error.contains(words), "{error}, not {words}");
        };
        refused(&|name| (name == "main.3.weight").then_some(&[7, 128, 4, 4][..]), "as many inputs");
        refused(&|name| (name == "main.3.weight").then_some(&[256, 128, 3, 3][..]), "a kernel of 4");
        refused(&|name| (name == "main.0.weight").then_some(&[256][..]), "four axes");
        assert!(Dcgan::of_shapes(|_| None).unwrap_err().contains("'main.0.weight'"));
    }
}
