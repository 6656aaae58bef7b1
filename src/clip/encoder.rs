//! What can name a picture, and how its two halves run in batches that fit into memory.

use std::collections::{BTreeMap, HashMap};

use super::{
    ClipError, Head, HeldOut, Templates, preprocess,
    preprocess::CHANNELS,
    text::{self, Placed},
    tower::{Frozen, Tower},
};
use crate::{
    data::{Normalisation, Picture},
    device::{Device, DeviceError, Executable},
    plan::Plan,
    tape::{Tape, Var},
    watch::{Stage, Watch},
};

/// Pictures and names as vectors of one space: a CLIP, or another model that was trained to be one.
pub trait Encoder: Sync {
    /// What a report calls it.
    fn model(&self) -> String;

    /// What makes probabilities of cosines.
    fn head(&self) -> Head;

    /// `S`: the side of the square pictures that it takes.
    fn image_size(&self) -> usize;

    /// Of those pictures' pixels.
    fn normalisation(&self) -> &Normalisation;

    /// Appends to a tape what makes of pictures `(B,3,H,W)` in [0, 1] the encoder's input `(B,3,S,S)`.
    fn preprocess(&self, tape: &mut Tape, pixels: Var) -> Var {
        preprocess::preprocess(tape, pixels, self.image_size(), self.normalisation())
    }

    /// Appends the image encoder to a tape: `pixels (B,3,S,S)`, normalised, to features `(B,E)` of any length.
    /// Also the inputs that it added, its weights, and what to write to them; differentiate by the pixels alone.
    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>);

    /// The same, as names are read from it: a model may take a second look.
    fn look<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        self.encode_image(tape, pixels)
    }

    /// How well its names are known, where they were learned from examples.
    fn held_out(&self) -> Option<&HeldOut> {
        None
    }

    /// Vectors of names.
    fn name_features(
        &self,
        device: &dyn Device,
        labels: &[String],
        templates: &Templates,
        watch: &dyn Watch,
    ) -> Result<NameFeatures, ClipError>;
}

/// What names are compared with.
#[derive(Clone, Debug)]
pub struct NameFeatures {
    /// `(K,E)`, of length 1.
    pub vectors: Vec<f32>,
    /// What the user should know, such as prompts that were cut.
    pub notes: Vec<String>,
}

/// Pictures that one run may hold. More make a run no faster.
const BATCH: usize = 16;
/// Rows of tokens that one run may hold.
const ROWS: usize = 1024;
/// Texts are padded to a multiple of so many tokens: a run for each length would be compiled too often.
const STEP: usize = 8;

/// The image half, compiled for a batch.
pub struct ImageEncoder<'e> {
    encoder: &'e dyn Encoder,
    device: &'e dyn Device,
    batch: usize,
    run: Run,
    /// By picture size.
    preprocessing: HashMap<[usize; 2], Run>,
}

/// A compiled plan with one input of interest and one output.
struct Run {
    executable: Box<dyn Executable>,
    input: Var,
    output: Var,
}

impl<'e> ImageEncoder<'e> {
    /// For so many pictures at a time at most; fewer where memory, or the device's limit of a buffer, is short.
    pub fn new(device: &'e dyn Device, encoder: &'e dyn Encoder, most: usize) -> Result<Self, DeviceError> {
        let mut batch = most.clamp(1, BATCH);
        let run = loop {
            match image_run(device, encoder, batch) {
                Err(DeviceError::TooLarge { .. }) if batch > 1 => batch /= 2,
                result => break result?,
            }
        };
        Ok(ImageEncoder { encoder, device, batch, run, preprocessing: HashMap::new() })
    }

    /// Pictures that one run holds.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// A picture of any size as the encoder takes it, `(3,S,S)`, normalised.
    pub fn prepare(&mut self, picture: Picture) -> Result<Vec<f32>, ClipError> {
        let picture = picture.with_channels(CHANNELS)?;
        let size = [picture.height, picture.width];
        if let std::collections::hash_map::Entry::Vacant(entry) = self.preprocessing.entry(size) {
            let mut tape = Tape::new();
            let input = tape.input(&[1, CHANNELS, size[0], size[1]]);
            let output = self.encoder.preprocess(&mut tape, input);
            let executable = self.device.compile(&Plan::new(&tape, &[output], &[]))?;
            entry.insert(Run { executable, input, output });
        }
        let run = self.preprocessing.get_mut(&size).expect("it was just made");
        Ok(run.compute(&picture.pixels)?)
    }

    /// Features `(N,E)`, of any length, of prepared pictures `(N,3,S,S)`.
    pub fn features(&mut self, prepared: &[f32]) -> Result<Vec<f32>, DeviceError> {
        let length = CHANNELS * self.encoder.image_size().pow(2);
        let mut features = Vec::new();
        let mut pixels = vec![0.0; self.batch * length];
        for part in prepared.chunks(self.batch * length) {
            pixels[..part.len()].copy_from_slice(part);
            let found = self.run.compute(&pixels)?;
            let (done, width) = (part.len() / length, found.len() / self.batch);
            features.extend(&found[..done * width]);
        }
        Ok(features)
    }
}

fn image_run(device: &dyn Device, encoder: &dyn Encoder, batch: usize) -> Result<Run, DeviceError> {
    let size = encoder.image_size();
    let mut tape = Tape::new();
    let input = tape.input(&[batch, CHANNELS, size, size]);
    let (output, weights) = encoder.look(&mut tape, input);
    Run::new(device, &tape, input, output, &weights)
}

impl Run {
    fn new(
        device: &dyn Device,
        tape: &Tape,
        input: Var,
        output: Var,
        weights: &[(Var, &[f32])],
    ) -> Result<Run, DeviceError> {
        let mut executable = device.compile(&Plan::new(tape, &[output], &[]))?;
        for (var, values) in weights {
            executable.write(*var, values)?;
        }
        Ok(Run { executable, input, output })
    }

    fn compute(&mut self, values: &[f32]) -> Result<Vec<f32>, DeviceError> {
        self.executable.write(self.input, values)?;
        self.executable.run(1)?;
        self.executable.read(self.output)
    }
}

/// The text half, compiled for each length of text in turn.
pub(crate) struct TextEncoder<'w> {
    tower: &'w Tower,
}

impl<'w> TextEncoder<'w> {
    pub(crate) fn new(tower: &'w Tower) -> Self {
        TextEncoder { tower }
    }

    /// Features `(N,E)` of texts as they were placed, of any length.
    pub(crate) fn features(
        &self,
        device: &dyn Device,
        texts: &[Placed],
        watch: &dyn Watch,
    ) -> Result<Vec<f32>, ClipError> {
        let stage = Stage::new(watch, "encoding names");
        let context = self.tower.tensor("position").shape[0];
        let class = usize::from(self.tower.parts.class);
        let hides = texts.iter().any(|text| text.keys.is_some());
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, text) in texts.iter().enumerate() {
            by_length
                .entry((text.ids.len() + class).next_multiple_of(STEP).min(context))
                .or_default()
                .push(index);
        }
        let width = self.tower.projection();
        let mut features = vec![0.0; texts.len() * width];
        let mut done = 0;
        for (tokens, members) in by_length {
            let mut batch = (ROWS / tokens).clamp(1, members.len());
            let (mut run, ends, keys) = loop {
                match self.run(device, batch, tokens, hides) {
                    Err(DeviceError::TooLarge { .. }) if batch > 1 => batch /= 2,
                    result => break result?,
                }
            };
            for part in members.chunks(batch) {
                let texts: Vec<&Placed> = part.iter().map(|&index| &texts[index]).collect();
                let ids: Vec<&[usize]> = texts.iter().map(|text| text.ids.as_slice()).collect();
                let mut rows = text::embed(self.tower, &ids, tokens);
                rows.resize(batch * tokens * self.tower.width, 0.0);
                let end = |place: usize| texts.get(place).map_or(0, |text| text.end);
                let places: Vec<f32> = (0..batch).map(|place| (place * tokens + end(place)) as f32).collect();
                run.executable.write(ends, &places)?;
                if let Some(keys) = keys {
                    let mut values: Vec<f32> =
                        texts.iter().flat_map(|text| text.keys.clone().unwrap_or_default()).collect();
                    values.resize(batch * tokens, 0.0);
                    run.executable.write(keys, &values)?;
                }
                let found = run.compute(&rows)?;
                for (&index, vector) in part.iter().zip(found.chunks(width)) {
                    features[index * width..][..width].copy_from_slice(vector);
                }
                done += part.len();
                stage.count(done, features.len() / width);
            }
        }
        Ok(features)
    }

    /// The run, and its inputs beside the texts: which rows count and, where some are hidden, what is added to scores.
    fn run(
        &self,
        device: &dyn Device,
        batch: usize,
        tokens: usize,
        hides: bool,
    ) -> Result<(Run, Var, Option<Var>), DeviceError> {
        let mut tape = Tape::new();
        let embedded = tape.input(&[1, batch * tokens, self.tower.width]);
        let ends = tape.input(&[batch]);
        let mut weights = Frozen::new(&self.tower.tensors);
        let keys = hides.then(|| tape.input(&[batch, tokens]));
        let output = text::encode(&mut tape, &mut weights, self.tower, embedded, ends, keys);
        Ok((Run::new(device, &tape, embedded, output, &weights.used)?, ends, keys))
    }
}

/// Rows of length 1. `what`: where they come from, for an error.
pub(crate) fn directions(
    features: &[f32],
    width: usize,
    what: impl Fn() -> String,
) -> Result<Vec<f32>, ClipError> {
    let mut unit = features.to_vec();
    for row in unit.chunks_mut(width) {
        let norm = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if !(norm.is_finite() && norm > 0.0) {
            return Err(ClipError::NotFinite { what: what() });
        }
        row.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
    }
    Ok(unit)
}

/// The direction of the mean of every `group` rows' directions.
pub(crate) fn mean_directions(
    features: &[f32],
    width: usize,
    group: usize,
    what: impl Fn() -> String,
) -> Result<Vec<f32>, ClipError> {
    let unit = directions(features, width, &what)?;
    let mut means = Vec::with_capacity(unit.len() / group.max(1));
    for rows in unit.chunks(group * width) {
        let mut sum = vec![0.0; width];
        rows.chunks(width).for_each(|row| sum.iter_mut().zip(row).for_each(|(s, v)| *s += v));
        means.extend(sum);
    }
    directions(&means, width, what)
}
