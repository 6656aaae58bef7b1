//! What a reconstruction has lost: pictures made noisy, blurred and pale, so that a model learns to name them too.

use std::ops::RangeInclusive;

use rand::{Rng, RngExt};

use crate::random;

/// Deviation of the noise, in pixels of [0, 1].
const NOISE: RangeInclusive<f32> = 0.02..=0.3;
/// Deviation of the blur that the noise itself gets, in pixels: reconstructions have coarse grain, too.
const GRAIN: RangeInclusive<f32> = 0.4..=1.5;
/// Deviation of the blur, in pixels.
const BLUR: RangeInclusive<f32> = 0.4..=1.8;
const CONTRAST: RangeInclusive<f32> = 0.25..=1.0;

/// In the order in which it is applied: blur, contrast around grey, noise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Degradation {
    /// Deviation of a Gaussian blur, in pixels; `None`: no blur.
    pub blur: Option<f32>,
    /// What differences from grey are multiplied by; `None`: 1.
    pub contrast: Option<f32>,
    /// What is added in the end.
    pub noise: Option<Noise>,
}

/// Gaussian noise on every value of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// In units of pixels in [0, 1].
    pub deviation: f32,
    /// Deviation of the blur that makes it coarse, in pixels; `None`: each pixel for itself.
    pub grain: Option<f32>,
    /// What it is drawn by.
    pub seed: u64,
}

impl Degradation {
    /// Each kind with a chance of one half.
    pub fn draw(generator: &mut impl Rng) -> Degradation {
        let mut maybe = |range| generator.random::<bool>().then(|| generator.random_range(range));
        let [blur, contrast, deviation, grain] = [BLUR, CONTRAST, NOISE, GRAIN].map(&mut maybe);
        let seed = generator.random();
        Degradation { blur, contrast, noise: deviation.map(|deviation| Noise { deviation, grain, seed }) }
    }

    /// Pixels `(C,H,W)` in [0, 1], which they stay in.
    pub fn apply(self, pixels: &mut [f32], [_, height, width]: [usize; 3]) {
        if let Some(deviation) = self.blur {
            blur(pixels, [height, width], deviation);
        }
        if let Some(contrast) = self.contrast {
            pixels.iter_mut().for_each(|v| *v = 0.5 + (*v - 0.5) * contrast);
        }
        if let Some(Noise { deviation, grain, seed }) = self.noise {
            let mut noise = random::normal(&mut random::generator(seed, "noise"), pixels.len());
            if let Some(grain) = grain {
                blur(&mut noise, [height, width], grain);
            }
            let square = noise.iter().map(|v| v * v).sum::<f32>() / noise.len() as f32;
            let factor = deviation / square.sqrt();
            pixels.iter_mut().zip(noise).for_each(|(v, noise)| *v += factor * noise);
        }
        pixels.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    }
}

/// Gaussian blur of planes `(…,H,W)`; outside a plane its edge goes on.
fn blur(planes: &mut [f32], [height, width]: [usize; 2], deviation: f32) {
    let radius = (3.0 * deviation).ceil() as isize;
    let weight = |d: isize| (-0.5 * (d as f32 / deviation).powi(2)).exp();
    let total: f32 = (-radius..=radius).map(weight).sum();
    let kernel: Vec<f32> = (-radius..=radius).map(|d| weight(d) / total).collect();
    let near = |at: usize, tap: usize, side: usize| {
        (at as isize + tap as isize - radius).clamp(0, side as isize - 1) as usize
    };
    let mut across = vec![0.0; height * width];
    for plane in planes.chunks_mut(height * width) {
        for (from, to) in plane.chunks(width).zip(across.chunks_mut(width)) {
            for (x, to) in to.iter_mut().enumerate() {
                *to = kernel.iter().enumerate().map(|(tap, k)| k * from[near(x, tap, width)]).sum();
            }
        }
        for (y, to) in plane.chunks_mut(width).enumerate() {
            to.fill(0.0);
            for (tap, k) in kernel.iter().enumerate() {
                let row = &across[near(y, tap, height) * width..][..width];
                to.iter_mut().zip(row).for_each(|(to, v)| *to += k * v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [2, 8, 8];

    #[test]
    fn contrast_draws_pixels_towards_grey() {
        let mut pixels = [0.0, 1.0].repeat(64);
        Degradation { contrast: Some(0.5), ..Degradation::default() }.apply(&mut pixels, SHAPE);
        assert_eq!(pixels, [0.25, 0.75].repeat(64));
    }

    #[test]
    fn blur_keeps_flat_planes_and_spreads_points() {
        let mut flat = [[0.3; 64], [0.8; 64]].concat();
        let before = flat.clone();
        blur(&mut flat, [8, 8], 1.0);
        assert!(flat.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-6));
        let mut point = [0.0; 64];
        point[3 * 8 + 4] = 1.0;
        blur(&mut point, [8, 8], 0.7);
        assert!((point.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        let at = |y: usize, x: usize| point[y * 8 + x];
        assert!(at(3, 4) > at(3, 5) && at(3, 5) > at(3, 6) && (at(3, 5) - at(4, 4)).abs() < 1e-7);
    }

    #[test]
    fn noise_has_its_deviation_and_its_seed_says_which() {
        let noise = |grain, seed| {
            let mut pixels = vec![0.5; 2 * 64];
            let noise = Some(Noise { deviation: 0.05, grain, seed });
            Degradation { noise, ..Degradation::default() }.apply(&mut pixels, SHAPE);
            pixels
        };
        for grain in [None, Some(1.0)] {
            let found = noise(grain, 1);
            let deviation = (found.iter().map(|v| (v - 0.5).powi(2)).sum::<f32>() / 128.0).sqrt();
            assert!((deviation - 0.05).abs() < 1e-5, "{deviation}");
            assert!(found == noise(grain, 1) && found != noise(grain, 2));
        }
    }

    #[test]
    fn pixels_stay_in_range() {
        let mut generator = random::generator(3, "test");
        for _ in 0..50 {
            let mut pixels = random::uniform(&mut generator, 0.5, 128);
            pixels.iter_mut().for_each(|v| *v += 0.5);
            Degradation::draw(&mut generator).apply(&mut pixels, SHAPE);
            assert!(pixels.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
