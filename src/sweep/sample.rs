//! A few pictures of a cell, so that its figures can be looked at.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    data::Picture,
    metrics::Comparison,
    report::html::{Original, PictureBatch, Reconstructed},
};

/// Pictures of a cell that are kept.
const PICTURES: usize = 4;

/// The first pictures of a cell's first batch, each with the reconstruction that is assigned to it, one to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its number.
    batch: usize,
    /// `[C, H, W]`
    shape: [usize; 3],
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    /// Pixels of eight bits, row-major, in Base64.
    original: String,
    reconstruction: String,
    ssim: Option<f64>,
}

impl Sample {
    /// The first pictures of a batch, with what was reconstructed of them; `None` for an empty batch.
    pub fn of(
        batch: usize,
        originals: &[Picture],
        found: &[Picture],
        compared: &Comparison,
    ) -> Option<Sample> {
        let shape = originals.first()?.shape();
        let mut pairs = vec![];
        for (number, original) in originals.iter().enumerate().take(PICTURES) {
            let at = compared.assignment_ssim.iter().position(|&of| of == number)?;
            let ssim = compared.ssim.per_image.one_to_one.get(at).copied().filter(|ssim| ssim.is_finite());
            let [original, reconstruction] = [original, &found[at]].map(encoded);
            pairs.push(Pair { original, reconstruction, ssim });
        }
        Some(Sample { batch, shape, pairs })
    }

    /// As a page shows them; a picture that cannot be read is left out.
    pub fn shown(&self, title: &str) -> PictureBatch {
        let (mut originals, mut reconstructions) = (vec![], vec![]);
        for Pair { original, reconstruction, ssim } in &self.pairs {
            let [original, found] = [original, reconstruction].map(|text| self.decoded(text));
            let (Some(original), Some(found)) = (original, found) else { continue };
            let of = Some(originals.len());
            originals.push(Original::new(original));
            reconstructions.push(Reconstructed { original: of, ssim: *ssim, ..Reconstructed::new(found) });
        }
        PictureBatch { title: format!("{title}, batch {}", self.batch), originals, reconstructions }
    }

    fn decoded(&self, text: &str) -> Option<Picture> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        let [channels, height, width] = self.shape;
        let pixels = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Picture::new(channels, height, width, pixels).ok()
    }
}

fn encoded(picture: &Picture) -> String {
    let byte = |value: &f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    BASE64_STANDARD.encode(picture.pixels.iter().map(byte).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::samples, metrics::compare};

    #[test]
    fn pictures_come_back_beside_their_own_originals() {
        let data = samples();
        let originals: Vec<Picture> = (0..5).map(|i| data.picture(i).unwrap()).collect();
        let found: Vec<Picture> = originals.iter().rev().cloned().collect();
        let compared = compare(&originals, &found).unwrap();
        let sample = Sample::of(3, &originals, &found, &compared).unwrap();
        let shown = sample.shown("a cell");
        assert_eq!(shown.title, "a cell, batch 3");
        assert_eq!(shown.originals.len(), PICTURES);
        for (i, (original, found)) in shown.originals.iter().zip(&shown.reconstructions).enumerate() {
            assert_eq!(original.picture, found.picture, "{i}");
            assert!(found.ssim.unwrap() > 0.999 && found.original == Some(i));
        }
    }
}
