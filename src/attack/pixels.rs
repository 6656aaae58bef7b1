//! The pixels themselves as what is unknown, or pixels of smaller pictures that are enlarged.

use super::{
    config::Start,
    setting::{Setting, Trial},
    unknown::{Bounds, Unknown, Variable},
};
use crate::{
    data::Normalisation,
    nn::scale::{enlarge, enlarged},
    random,
    tape::{Tape, Var},
};

/// Side of the patch of [`Start::Pattern`].
const PATCH: usize = 4;

/// A batch of pictures, normalised.
#[derive(Clone, Debug)]
pub struct Pixels {
    /// `B`
    pub batch: usize,
    /// `[C, H, W]` of what the victim takes.
    pub image: [usize; 3],
    /// How much smaller the pictures are that are moved.
    pub scale: usize,
    /// What each trial draws its first pixels from.
    pub start: Start,
    /// From pixels in [0, 1] to what the victim takes.
    pub normalisation: Normalisation,
    /// Keep every pixel between 0 and 1.
    pub clamp: bool,
}

impl Pixels {
    /// That may take any value, from N(0,1), under CIFAR-10's normalisation.
    pub fn free(batch: usize, image: [usize; 3]) -> Pixels {
        let normalisation = Normalisation::default().for_channels(image[0]);
        Pixels { batch, image, scale: 1, start: Start::Normal, normalisation, clamp: false }
    }

    /// Of a victim's input size, as the attack's configuration has them.
    pub fn of(setting: &Setting) -> Pixels {
        Pixels {
            batch: setting.batch,
            image: setting.victim.image_shape(),
            scale: 1,
            start: setting.config.start,
            normalisation: setting.normalisation.clone(),
            clamp: setting.config.clamp,
        }
    }

    /// The same from pictures smaller by a factor.
    pub fn at(self, scale: usize) -> Pixels {
        Pixels { scale, ..self }
    }

    /// Values of these variables as a start for the same pictures at another scale.
    pub fn rescaled(&self, values: &[Vec<f32>], to: &Pixels) -> Vec<Vec<f32>> {
        let ([_, h, w], [_, height, width]) = (self.small(), to.small());
        values.iter().map(|pixels| enlarged(pixels, [h, w], [height, width])).collect()
    }

    /// `[C, h, w]` of the pictures that are moved.
    fn small(&self) -> [usize; 3] {
        let [c, h, w] = self.image;
        [c, h.div_ceil(self.scale), w.div_ceil(self.scale)]
    }
}

impl Unknown for Pixels {
    fn variables(&self) -> Vec<Variable> {
        let [c, h, w] = self.small();
        let bounds = match self.clamp {
            false => Bounds::Free,
            true => {
                let (low, high) = self.normalisation.bounds().into_iter().unzip();
                Bounds::Range { shape: vec![1, c, 1, 1], low, high }
            }
        };
        vec![Variable { bounds, ..Variable::free(&[self.batch, c, h, w]) }]
    }

    fn start(&self, seed: u64, Trial { target, restart, .. }: Trial) -> Vec<Vec<f32>> {
        let [c, h, w] = self.small();
        let mut generator = random::generator(seed, &format!("start {target} {restart}"));
        let planes = self.batch * c;
        vec![match self.start {
            Start::Normal => random::normal(&mut generator, planes * h * w),
            Start::NormalPixels => {
                let mut x = random::normal(&mut generator, planes * h * w);
                let (mean, std) = (self.normalisation.mean(), self.normalisation.std());
                for (i, plane) in x.chunks_mut(h * w).enumerate() {
                    plane.iter_mut().for_each(|v| *v = (*v - mean[i % c]) / std[i % c]);
                }
                x
            }
            Start::Pattern => {
                let patches = random::normal(&mut generator, planes * PATCH * PATCH);
                let at = |patch: &[f32], y: usize, x: usize| patch[(y % PATCH) * PATCH + x % PATCH];
                let plane =
                    |patch: &[f32]| -> Vec<f32> { (0..h * w).map(|i| at(patch, i / w, i % w)).collect() };
                patches.chunks(PATCH * PATCH).flat_map(plane).collect()
            }
        }]
    }

    fn picture(&self, tape: &mut Tape, variables: &[Var], _: &[Var]) -> Var {
        let [_, height, width] = self.image;
        enlarge(tape, variables[0], [height, width])
    }
}
