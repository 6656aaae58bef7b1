//! Where reconstructions start.

use super::{config::Start, invert::Setting, scale::enlarged};
use crate::random;

/// Side of the patch of [`Start::Pattern`].
const PATCH: usize = 4;

/// One trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    pub target: usize,
    /// Which of the target's hypotheses guides it. Starts don't depend on it.
    pub hypothesis: usize,
    pub restart: usize,
}

/// A trial's first images at `1/scale` of the size, normalised, `(B,C,h,w)`.
pub fn images(setting: &Setting, Trial { target, restart, .. }: Trial, scale: usize) -> Vec<f32> {
    let [c, h, w] = small(setting, scale);
    let mut generator = random::generator(setting.seed, &format!("start {target} {restart}"));
    let planes = setting.batch * c;
    match setting.config.start {
        Start::Normal => random::normal(&mut generator, planes * h * w),
        Start::NormalPixels => {
            let mut x = random::normal(&mut generator, planes * h * w);
            let (mean, std) = (setting.normalisation.mean(), setting.normalisation.std());
            for (i, plane) in x.chunks_mut(h * w).enumerate() {
                plane.iter_mut().for_each(|v| *v = (*v - mean[i % c]) / std[i % c]);
            }
            x
        }
        Start::Pattern => {
            let patches = random::normal(&mut generator, planes * PATCH * PATCH);
            let at = |patch: &[f32], y: usize, x: usize| patch[(y % PATCH) * PATCH + x % PATCH];
            let plane = |patch: &[f32]| -> Vec<f32> { (0..h * w).map(|i| at(patch, i / w, i % w)).collect() };
            patches.chunks(PATCH * PATCH).flat_map(plane).collect()
        }
    }
}

/// A coarse result as the start of the next scale.
pub fn from_coarse(setting: &Setting, images: &[f32], coarse: usize, fine: usize) -> Vec<f32> {
    let [_, h, w] = small(setting, coarse);
    let [_, height, width] = small(setting, fine);
    enlarged(images, [h, w], [height, width])
}

/// A trial's first label logits `(B,K)`.
pub fn logits(setting: &Setting, Trial { target, restart, .. }: Trial) -> Vec<f32> {
    let mut generator = random::generator(setting.seed, &format!("labels {target} {restart}"));
    random::normal(&mut generator, setting.batch * setting.victim.model.classes)
}

/// `[C, H, W]` at `1/scale` of the size.
fn small(setting: &Setting, scale: usize) -> [usize; 3] {
    let [c, h, w] = setting.victim.image_shape();
    [c, h.div_ceil(scale), w.div_ceil(scale)]
}
