//! Between pixels in [0, 1] and what a network takes: (x − μ) / σ, per channel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DataError, Picture};
use crate::spelling::choices;

choices! {
    /// How pixels become a network's input, by name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NormalisationPreset {
        /// CIFAR-10's means and deviations
        Cifar10 = "cifar10",
        /// ImageNet's
        Imagenet = "imagenet",
        /// Mean 0.5 and deviation 0.5: [-1,1]
        Half = "half",
        /// Pixels stay in [0,1]
        None = "none",
    }
}

impl NormalisationPreset {
    /// For so many channels.
    pub fn of(self, channels: usize) -> Normalisation {
        let three = |mean: [f32; 3], std: [f32; 3]| Normalisation { mean: mean.to_vec(), std: std.to_vec() };
        let normalisation = match self {
            NormalisationPreset::Cifar10 => Normalisation::default(),
            NormalisationPreset::Imagenet => three([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            NormalisationPreset::Half => three([0.5; 3], [0.5; 3]),
            NormalisationPreset::None => three([0.0; 3], [1.0; 3]),
        };
        normalisation.for_channels(channels)
    }

    /// The one with these values, for as many channels.
    pub fn of_values(values: &Normalisation) -> Option<NormalisationPreset> {
        NormalisationPreset::ALL.into_iter().find(|preset| preset.of(values.mean.len()) == *values)
    }
}

/// Mean and standard deviation per channel, of pixels in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Unchecked")]
pub struct Normalisation {
    mean: Vec<f32>,
    std: Vec<f32>,
}

#[derive(Deserialize, JsonSchema)]
struct Unchecked {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl TryFrom<Unchecked> for Normalisation {
    type Error = DataError;

    fn try_from(Unchecked { mean, std }: Unchecked) -> Result<Self, DataError> {
        Self::new(mean, std)
    }
}

impl Default for Normalisation {
    /// CIFAR-10's training set.
    fn default() -> Self {
        Self { mean: vec![0.4914, 0.4822, 0.4465], std: vec![0.2470, 0.2435, 0.2616] }
    }
}

impl Normalisation {
    /// Fails unless there are as many means as deviations, all are finite and deviations are above 0.
    pub fn new(mean: Vec<f32>, std: Vec<f32>) -> Result<Self, DataError> {
        if mean.is_empty() || mean.len() != std.len() {
            let expected = "one mean and one standard deviation per channel";
            return Err(DataError::mismatch(
                "normalisation",
                expected,
                format!("mean {mean:?}, std {std:?}"),
            ));
        }
        if let Some(found) = mean.iter().find(|value| !value.is_finite()) {
            return Err(DataError::mismatch("normalisation mean", "finite values", found));
        }
        if let Some(found) = std.iter().find(|value| !(value.is_finite() && **value > 0.0)) {
            return Err(DataError::mismatch("normalisation std", "finite values above 0", found));
        }
        Ok(Self { mean, std })
    }

    /// The same, or its mean over the channels where another number of them is needed.
    pub fn for_channels(self, channels: usize) -> Self {
        if self.mean.len() == channels {
            return self;
        }
        let flat = |values: &[f32]| vec![values.iter().sum::<f32>() / values.len() as f32; channels];
        Self { mean: flat(&self.mean), std: flat(&self.std) }
    }

    /// From texts such as `0.49,0.48,0.45`.
    pub fn parse(mean: &str, std: &str) -> Result<Self, DataError> {
        let parse = |what, text: &str| {
            let values = text.split(',').map(|part| part.trim().parse());
            let values: Result<Vec<f32>, _> = values.collect();
            values.map_err(|_| DataError::mismatch(what, "numbers between commas", format!("{text:?}")))
        };
        Self::new(parse("normalisation mean", mean)?, parse("normalisation std", std)?)
    }

    /// One value per channel.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// One value per channel.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// Fails unless the normalisation is for `channels` channels.
    pub fn check_channels(&self, channels: usize) -> Result<(), DataError> {
        if self.mean.len() != channels {
            let expected = format!("{channels}, one per channel");
            return Err(DataError::mismatch("values of the normalisation", expected, self.mean.len()));
        }
        Ok(())
    }

    /// The box [−μ/σ, (1 − μ)/σ] per channel: what [0, 1] becomes.
    pub fn bounds(&self) -> Vec<(f32, f32)> {
        self.channels().map(|(mean, std)| (-mean / std, (1.0 - mean) / std)).collect()
    }

    /// A batch `(B, C, H, W)`, row-major. All pictures must have one shape.
    pub fn normalise(&self, pictures: &[Picture]) -> Result<Vec<f32>, DataError> {
        let mut batch = Vec::with_capacity(pictures.iter().map(|picture| picture.pixels.len()).sum());
        for picture in pictures {
            self.check_channels(picture.channels)?;
            if picture.shape() != pictures[0].shape() {
                let expected = format!("one shape, {:?} (C, H, W)", pictures[0].shape());
                return Err(DataError::mismatch(
                    "pictures of a batch",
                    expected,
                    format!("{:?}", picture.shape()),
                ));
            }
            for (plane, (mean, std)) in picture.planes().zip(self.channels()) {
                batch.extend(plane.iter().map(|value| (value - mean) / std));
            }
        }
        Ok(batch)
    }

    /// The inverse: the pictures of a batch `(B, C, H, W)`, clamped to [0, 1]. Fails unless `batch` is a
    /// whole number of pictures.
    pub fn denormalise(&self, batch: &[f32], height: usize, width: usize) -> Result<Vec<Picture>, DataError> {
        let channels = self.mean.len();
        // Checks the shape before its product is divided by.
        let blank = Picture::flat(channels, height, width, 0.0)?;
        if !batch.len().is_multiple_of(blank.pixels.len()) {
            let expected = format!("a multiple of {channels}·{height}·{width}");
            return Err(DataError::mismatch("values of a batch", expected, batch.len()));
        }
        let picture = |values: &[f32]| {
            let planes = values.chunks_exact(height * width).zip(self.channels());
            let pixels = planes.flat_map(|(plane, (mean, std))| {
                plane.iter().map(move |value| (value * std + mean).clamp(0.0, 1.0))
            });
            Picture::new(channels, height, width, pixels.collect())
        };
        batch.chunks_exact(blank.pixels.len()).map(picture).collect()
    }

    /// The pixels of a normalised batch `(B, C, H, W)` as they are, beyond [0, 1] too; `plane`: H·W.
    pub fn pixels(&self, batch: &[f32], plane: usize) -> Vec<f32> {
        let planes = batch.chunks_exact(plane).zip(self.channels().collect::<Vec<_>>().into_iter().cycle());
        planes.flat_map(|(plane, (mean, std))| plane.iter().map(move |value| value * std + mean)).collect()
    }

    fn channels(&self) -> impl Iterator<Item = (f32, f32)> {
        self.mean.iter().copied().zip(self.std.iter().copied())
    }
}
