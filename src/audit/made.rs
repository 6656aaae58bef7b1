//! How like the data a generator's pictures are.

use serde::Serialize;

use super::AuditError;
use crate::{
    clip::{ImageEncoder, builtin},
    data::Picture,
    device::Device,
    metrics::frechet::frechet,
    nn::generator::{Dcgan, Generator},
    train::{
        Pictures,
        generator::{latents, made},
    },
    watch::{Stage, Watch},
};

/// Fréchet distances in the feature space of the built-in model, which is not that of the published FID.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MadeDistance {
    /// Pictures on either side.
    pub pictures: usize,
    /// Of made pictures from the test pictures.
    pub frechet_distance: f64,
    /// Of the training pictures from them: nothing learned from these can be expected below it.
    pub of_training_pictures: f64,
}

/// Of so many pictures at most; classes are as frequent as among the training pictures.
pub fn made_distance(
    device: &dyn Device,
    (generator, tensors): (&Dcgan, &[Vec<f32>]),
    [training, test]: [&Pictures; 2],
    most: usize,
    seed: u64,
    watch: &dyn Watch,
) -> Result<MadeDistance, AuditError> {
    let count = most.min(training.len()).min(test.len());
    let chosen = |all: &Pictures| (0..count).map(|i| i * all.len() / count).collect::<Vec<usize>>();
    let classes: Vec<Option<usize>> = chosen(training)
        .into_iter()
        .map(|i| Some(training.labels[i]).filter(|_| generator.classes() > 0))
        .collect();
    let latents = latents(generator, &classes, seed, "latents of compared pictures");
    let pixels = made(device, generator, tensors, &latents)?;
    let [c, h, w] = generator.image();
    let made: Vec<Picture> = pictures(&pixels, [c, h, w])?;
    let own = |all: &Pictures| -> Result<Vec<Picture>, AuditError> {
        let bytes = chosen(all).into_iter().flat_map(|i| all.picture(i));
        pictures(&bytes.map(|&byte| f32::from(byte) / 255.0).collect::<Vec<f32>>(), all.shape)
    };
    let encoder = builtin::open()?;
    let mut run = ImageEncoder::new(device, &*encoder, count)?;
    let stage = Stage::new(watch, "comparing with test pictures");
    let mut done = 0;
    let mut features = |all: Vec<Picture>| -> Result<Vec<f32>, AuditError> {
        let mut features = vec![];
        let together = run.batch();
        for chunk in all.chunks(together) {
            let prepared = chunk.iter().map(|picture| run.prepare(picture.clone()));
            let prepared = prepared.collect::<Result<Vec<_>, _>>()?.concat();
            features.extend(unit(run.features(&prepared)?, chunk.len()));
            done += chunk.len();
            stage.count(done, 3 * count);
        }
        Ok(features)
    };
    let [made, training, test] = [features(made)?, features(own(training)?)?, features(own(test)?)?];
    let width = test.len() / count;
    Ok(MadeDistance {
        pictures: count,
        frechet_distance: frechet(&made, &test, width)?,
        of_training_pictures: frechet(&training, &test, width)?,
    })
}

/// Rows of length 1, as names are compared with them.
fn unit(mut features: Vec<f32>, rows: usize) -> Vec<f32> {
    let width = features.len() / rows;
    for row in features.chunks_mut(width) {
        let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|v| *v /= length);
    }
    features
}

/// A sample sheet: a row a class, or one row of no class.
pub fn sample_sheet(
    device: &dyn Device,
    (generator, tensors): (&Dcgan, &[Vec<f32>]),
    class_names: &[String],
    seed: u64,
) -> Result<Vec<(String, Vec<Picture>)>, AuditError> {
    const ROW: usize = 8;
    let mut rows: Vec<(String, Option<usize>)> =
        class_names.iter().enumerate().map(|(i, name)| (name.clone(), Some(i))).collect();
    match rows.is_empty() {
        true => (1..=ROW).for_each(|row| rows.push((row.to_string(), None))),
        false => rows.push(("open".into(), None)),
    }
    let classes: Vec<Option<usize>> = rows.iter().flat_map(|(_, class)| [*class; ROW]).collect();
    let latents = latents(generator, &classes, seed, "latents of the sample sheet");
    let pixels = made(device, generator, tensors, &latents)?;
    let all = pictures(&pixels, generator.image())?;
    Ok(rows.into_iter().zip(all.chunks(ROW)).map(|((name, _), row)| (name, row.to_vec())).collect())
}

fn pictures(pixels: &[f32], [c, h, w]: [usize; 3]) -> Result<Vec<Picture>, AuditError> {
    let all = pixels.chunks(c * h * w).map(|own| Picture::new(c, h, w, own.to_vec()));
    Ok(all.collect::<Result<_, _>>()?)
}
