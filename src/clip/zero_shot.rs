//! Names for pictures that no training saw: softmax over names of scale × cosine (Radford 2021, §3.1), or what else the
//! model was trained with ([`super::Head`]).

use super::{ClipError, Encoder, HeldOut, ImageEncoder, Templates, encoder::directions};
use crate::{
    data::{Picture, same_name},
    device::Device,
    watch::{Stage, Watch},
};

/// Smallest side of a picture that something could be seen on.
const SMALLEST: usize = 2;

/// What a model says about pictures, a row each.
#[derive(Clone, Debug)]
pub struct Names {
    /// `(K)`: the names, in the order of the columns.
    pub labels: Vec<String>,
    /// `(N,K)`: rows sum to 1, but for a SigLIP.
    pub probabilities: Vec<Vec<f64>>,
    /// `(N,K)`
    pub cosine: Vec<Vec<f64>>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A model that is ready to compare any number of pictures with the same names: names are encoded and the image half
/// is compiled once.
pub struct Namer<'e> {
    encoder: &'e dyn Encoder,
    /// `N` names.
    pub labels: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// `(N,E)`, of length 1.
    pub vectors: Vec<f32>,
    images: ImageEncoder<'e>,
}

/// What a model says about pictures, a row each.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// `(P,N)`: rows sum to 1, but for a SigLIP.
    pub probabilities: Vec<Vec<f64>>,
    /// `(P,N)`
    pub cosine: Vec<Vec<f64>>,
}

impl<'e> Namer<'e> {
    /// `most`: pictures that one run may hold, see [`ImageEncoder::new`].
    ///
    /// # Errors
    /// What is wrong with a name shows here, before any picture is computed.
    pub fn new(
        device: &'e dyn Device,
        encoder: &'e dyn Encoder,
        labels: &[String],
        templates: &Templates,
        most: usize,
        watch: &dyn Watch,
    ) -> Result<Namer<'e>, ClipError> {
        let labels = check_labels(labels)?;
        let names = encoder.name_features(device, &labels, templates, watch)?;
        let images = ImageEncoder::new(device, encoder, most)?;
        Ok(Namer { encoder, labels, notes: names.notes, vectors: names.vectors, images })
    }

    /// What a report calls the model.
    pub fn model(&self) -> String {
        self.encoder.model()
    }

    /// How well its names are known, where they were learned from examples.
    pub fn held_out(&self) -> Option<&HeldOut> {
        self.encoder.held_out()
    }

    /// Compares every picture with every name. `pictures`: what to call each in an error, and how to get it; they are
    /// read one after the other.
    pub fn rows(
        &mut self,
        pictures: impl ExactSizeIterator<Item = (String, Result<Picture, ClipError>)>,
        watch: &dyn Watch,
    ) -> Result<Rows, ClipError> {
        let width = self.vectors.len() / self.labels.len();
        let count = pictures.len();
        let stage = Stage::new(watch, "comparing pictures with names");
        let mut found = Rows::default();
        let mut pictures = pictures.peekable();
        while pictures.peek().is_some() {
            let mut calls = vec![];
            let mut prepared = vec![];
            for (call, picture) in pictures.by_ref().take(self.images.batch()) {
                let picture = picture?;
                check_size(&call, [picture.height, picture.width])?;
                prepared.extend(self.images.prepare(picture)?);
                calls.push(call);
            }
            let features = self.images.features(&prepared)?;
            for (call, feature) in calls.iter().zip(features.chunks(width)) {
                let direction = directions(feature, width, || call.clone())?;
                let cosine: Vec<f64> = self.vectors.chunks(width).map(|name| dot(&direction, name)).collect();
                found.probabilities.push(self.encoder.head().probabilities(&cosine));
                found.cosine.push(cosine);
            }
            stage.count(found.cosine.len(), count);
        }
        Ok(found)
    }
}

/// Compares every picture with every name, once; see [`Namer`].
pub fn name_pictures(
    device: &dyn Device,
    encoder: &dyn Encoder,
    labels: &[String],
    templates: &Templates,
    pictures: impl ExactSizeIterator<Item = (String, Result<Picture, ClipError>)>,
    watch: &dyn Watch,
) -> Result<Names, ClipError> {
    let mut namer = Namer::new(device, encoder, labels, templates, pictures.len(), watch)?;
    let Rows { probabilities, cosine } = namer.rows(pictures, watch)?;
    Ok(Names { labels: namer.labels, probabilities, cosine, notes: namer.notes })
}

/// Refuses a picture `[H, W]` that shows nothing.
pub fn check_size(what: &str, [height, width]: [usize; 2]) -> Result<(), ClipError> {
    if height.min(width) >= SMALLEST {
        return Ok(());
    }
    let found = format!("{height}×{width} pixels");
    let expected = format!("at least {SMALLEST}×{SMALLEST}");
    Err(ClipError::PictureSize { what: what.into(), found, expected })
}

/// Labels without the spaces around them: none empty, none twice.
pub fn check_labels(labels: &[String]) -> Result<Vec<String>, ClipError> {
    let labels: Vec<String> = labels.iter().map(|label| label.trim().to_string()).collect();
    if labels.is_empty() {
        return Err(ClipError::NoLabels);
    }
    for (index, label) in labels.iter().enumerate() {
        if label.is_empty() {
            return Err(ClipError::EmptyLabel { index: index + 1 });
        }
        // The tokeniser knows no upper case.
        let same = |other: &String| same_name(other, label);
        if let Some(first) = labels[..index].iter().position(same) {
            let (first, second) = (first + 1, index + 1);
            return Err(ClipError::DuplicateLabel { label: label.clone(), first, second });
        }
    }
    Ok(labels)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
