//! What a naming model is tried on: pictures as they are, and as reconstructions spoil them.

use crate::{
    data::Picture,
    train::{Degradation, Noise},
};

/// Pictures shown in one way.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// As reports write it.
    pub name: &'static str,
    /// Pixels that the picture moves down and to the right; black comes in.
    shift: usize,
    blur: Option<f32>,
    contrast: Option<f32>,
    /// Deviation, of pixels in [0, 1].
    noise: Option<f32>,
}

const CLEAN: Condition = Condition { name: "as they are", shift: 0, blur: None, contrast: None, noise: None };

/// In the order in which they are reported.
pub const CONDITIONS: [Condition; 8] = [
    CLEAN,
    Condition { name: "noise 0.1", noise: Some(0.1), ..CLEAN },
    Condition { name: "noise 0.2", noise: Some(0.2), ..CLEAN },
    Condition { name: "blur 1 px", blur: Some(1.0), ..CLEAN },
    Condition { name: "blur 1.5 px", blur: Some(1.5), ..CLEAN },
    Condition { name: "contrast 0.4", contrast: Some(0.4), ..CLEAN },
    Condition { name: "shift 4 px", shift: 4, ..CLEAN },
    Condition {
        name: "blur 0.8 px, contrast 0.7, noise 0.1",
        blur: Some(0.8),
        contrast: Some(0.7),
        noise: Some(0.1),
        ..CLEAN
    },
];

impl Condition {
    /// The picture under this condition. `seed`: of the noise.
    pub fn show(&self, mut picture: Picture, seed: u64) -> Picture {
        let (height, width) = (picture.height, picture.width);
        if self.shift > 0 {
            for plane in picture.pixels.chunks_mut(height * width) {
                let from = plane.to_vec();
                plane.fill(0.0);
                for y in self.shift..height {
                    let (to, row) = (y * width, (y - self.shift) * width);
                    let kept = width.saturating_sub(self.shift);
                    plane[to + width - kept..to + width].copy_from_slice(&from[row..row + kept]);
                }
            }
        }
        let noise = self.noise.map(|deviation| Noise { deviation, grain: None, seed });
        let degradation = Degradation { blur: self.blur, contrast: self.contrast, noise };
        let shape = picture.shape();
        degradation.apply(&mut picture.pixels, shape);
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_as_they_are_stay_so_and_shifts_bring_in_black() {
        let pixels: Vec<f32> = (0..36).map(|i| (i + 1) as f32 / 36.0).collect();
        let picture = Picture::new(1, 6, 6, pixels).unwrap();
        assert_eq!(CONDITIONS[0].show(picture.clone(), 0), picture);
        let shifted = CONDITIONS.iter().find(|c| c.shift == 4).unwrap().show(picture.clone(), 0);
        assert_eq!(shifted.pixels[4 * 6 + 4], picture.pixels[0]);
        assert_eq!(shifted.pixels.iter().filter(|&&v| v > 0.0).count(), 4);
    }
}
