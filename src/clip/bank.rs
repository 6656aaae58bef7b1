//! An image tower of this project's own architectures with a bank of named concepts in place of a text tower: small
//! enough to come with the program. Trained by `gia-gpu train clip`.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    ClipError, Encoder, Head, Templates,
    encoder::{NameFeatures, directions},
    preprocess,
};
use crate::{
    data::{Normalisation, place_of_name},
    device::Device,
    nn::{
        Mode, Model, Options,
        contrastive::{BANK, LOGIT_SCALE},
    },
    tape::{Tape, Var},
    tensor_file::{Extra, ParameterSpec, Storage, Tensor, TensorFile, TensorFileError},
    watch::Watch,
};

/// What the metadata says under `format`.
pub(crate) const FORMAT: &str = "gia-gpu concepts";

/// Names that an error lists as the nearest to one that is not known.
const NEAREST: usize = 3;
/// By how many pixels, down and to the right, pictures are moved to be looked at again.
const MOVES: [[isize; 2]; 3] = [[0, 0], [-1, -1], [1, 1]];
/// Words that are less alike than this say nothing about each other.
const ALIKE: f64 = 0.5;

/// A tower and what its features are compared with.
pub struct Bank {
    /// What the file says about itself.
    pub about: About,
    /// What a report calls it.
    pub name: String,
    tower: Model,
    /// In `state_dict` order.
    tensors: Vec<Vec<f32>>,
    /// `(K,E)`, of length 1.
    vectors: Vec<f32>,
    scale: f32,
    normalisation: Normalisation,
}

/// What the file says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Of the tower, as in the registry.
    pub architecture: String,
    /// Choices beside the architecture's name, as in `norm=group:32`; may be empty.
    pub options: String,
    /// `S`: the tower takes pictures of 3×S×S.
    pub size: usize,
    /// `(3)`: subtracted from pixels in [0, 1] before the tower sees them.
    pub mean: Vec<f32>,
    /// `(3)`: then divided by.
    pub std: Vec<f32>,
    /// `(K)`, in the order of the bank's rows.
    pub concepts: Vec<String>,
    /// The data sets that it learned from.
    pub sets: Vec<ConceptSet>,
    /// How it was trained and what that came to.
    pub training: serde_json::Value,
}

/// A data set, and its classes as indices of concepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConceptSet {
    /// As the user gave it.
    pub name: String,
    /// Of each class in turn: its row of the bank.
    pub concepts: Vec<usize>,
}

impl Bank {
    /// Writes a trained model's tensors in 8 bits, with a scale per output channel.
    pub fn write(
        path: &Path,
        tensors: &BTreeMap<String, Tensor>,
        about: &About,
    ) -> Result<(), TensorFileError> {
        let json = serde_json::to_string(about).expect("plain data");
        let metadata = [("format", FORMAT.to_string()), ("about", json)];
        let metadata = metadata.map(|(key, value)| (key.to_string(), value)).into();
        TensorFile::write_as(path, tensors, &metadata, Storage::EightBits)
    }

    /// Whether a file says that it is one.
    pub fn is(file: &TensorFile) -> bool {
        file.metadata.get("format").is_some_and(|format| format == FORMAT)
    }

    /// From a file in memory. `name`: what reports call it.
    pub fn from_file(file: &TensorFile, name: &str) -> Result<Bank, ClipError> {
        let about: About = metadata(file, "about")?;
        let bad = |key: &str, expected: String, found: String| ClipError::Config {
            path: file.path.clone(),
            key: key.into(),
            expected,
            found,
        };
        let options: Options =
            about.options.parse().map_err(|error| bad("options", error, about.options.clone()))?;
        let shape = |name: &str| file.tensors.get(name).map(|t| t.shape.clone()).unwrap_or_default();
        let bank = shape(BANK);
        let &[rows, width] = bank.as_slice() else {
            let expected = "two axes: concepts and features".into();
            return Err(ClipError::Shape {
                path: file.path.clone(),
                name: BANK.into(),
                expected,
                found: bank,
            });
        };
        if rows != about.concepts.len() {
            return Err(bad(
                "concepts",
                format!("{rows} names, one a row of {BANK}"),
                about.concepts.len().to_string(),
            ));
        }
        let image = Some([preprocess::CHANNELS, about.size, about.size]);
        let tower = Model::new(&about.architecture, &options, image, width)
            .map_err(|error| bad("architecture", "one that is known".into(), error.to_string()))?;
        let head = [(BANK, vec![rows, width]), (LOGIT_SCALE, vec![1])];
        let head = head.map(|(name, shape)| ParameterSpec { name: name.into(), shape });
        let own = tower.declarations().into_iter().map(|d| ParameterSpec { name: d.name, shape: d.shape });
        let specs: Vec<ParameterSpec> = own.chain(head).collect();
        let mut tensors: Vec<Vec<f32>> =
            file.parameters(&specs, Extra::Reject)?.into_iter().map(|tensor| tensor.data).collect();
        let [logarithm, bank] = [tensors.pop(), tensors.pop()].map(|t| t.expect("both were asked for"));
        let normalisation = Normalisation::new(about.mean.clone(), about.std.clone())?;
        Ok(Bank {
            vectors: directions(&bank, width, || format!("{BANK} of {}", file.path.display()))?,
            scale: logarithm[0].exp().min(100.0),
            name: name.into(),
            about,
            tower,
            tensors,
            normalisation,
        })
    }

    /// The index of a concept.
    pub fn concept(&self, name: &str) -> Option<usize> {
        place_of_name(&self.about.concepts, name)
    }

    /// Names that are written like this one.
    fn nearest(&self, name: &str) -> Vec<&str> {
        let name = name.to_lowercase();
        let alike = |concept: &String| {
            let concept = concept.to_lowercase();
            let within =
                concept.split(' ').any(|word| word == name) || name.split(' ').any(|word| word == concept);
            if within { 1.0 } else { strsim::jaro_winkler(&name, &concept) }
        };
        let mut all: Vec<(f64, &str)> = self.about.concepts.iter().map(|c| (alike(c), c.as_str())).collect();
        all.retain(|found| found.0 >= ALIKE);
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.into_iter().take(NEAREST).map(|found| found.1).collect()
    }

    /// `pixels (B,3,S,S)`, normalised, moved down and to the right; black comes in.
    fn moved(&self, tape: &mut Tape, pixels: Var, by: [isize; 2]) -> Var {
        let shape = tape.shape(pixels).to_vec();
        let black = self.normalisation.bounds().iter().map(|&(low, _)| f64::from(low)).collect();
        let black = tape.literal(&[1, preprocess::CHANNELS, 1, 1], black);
        let above = tape.sub(pixels, black);
        let [mut start, mut kept, mut before] = [vec![0; 4], shape.clone(), vec![0; 4]];
        for (axis, by) in [(2, by[0]), (3, by[1])] {
            kept[axis] -= by.unsigned_abs();
            let from = if by < 0 { &mut start } else { &mut before };
            from[axis] = by.unsigned_abs();
        }
        let part = tape.slice(above, &start, &kept);
        let framed = tape.pad(part, &before, &shape);
        tape.add(framed, black)
    }
}

impl Encoder for Bank {
    fn model(&self) -> String {
        self.name.clone()
    }

    fn head(&self) -> Head {
        Head { scale: self.scale, bias: None }
    }

    fn image_size(&self) -> usize {
        self.about.size
    }

    fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// Pictures that are smaller get a black frame, as they had in training.
    fn preprocess(&self, tape: &mut Tape, pixels: Var) -> Var {
        preprocess::framed(tape, pixels, self.about.size, &self.normalisation)
    }

    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let [batch, c, h, w] = tape.shape(pixels)[..] else { panic!("pixels are (B,3,S,S)") };
        let x = tape.reshape(pixels, &[1, batch, c, h, w]);
        let pass = self.tower.apply(tape, x, Mode::Eval);
        let features = tape.reshape(pass.logits, &[batch, self.tower.classes]);
        let stored = pass.parameters.iter().map(|p| p.stored);
        (features, stored.zip(self.tensors.iter().map(Vec::as_slice)).collect())
    }

    /// The sum of the features of a picture, of the picture moved a little, and of the mirror images of these: in
    /// training, all of them were one.
    fn look<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let batch = tape.shape(pixels)[0];
        let mut looks: Vec<Var> = MOVES.map(|by| self.moved(tape, pixels, by)).into();
        let mirrored: Vec<Var> = looks.iter().map(|&look| tape.flip(look, &[3])).collect();
        looks.extend(mirrored);
        let count = looks.len();
        let all = tape.concat(&looks, 0);
        let (features, frozen) = self.encode_image(tape, all);
        let features = tape.reshape(features, &[count, batch, self.tower.classes]);
        let sum = tape.sum(features, &[0]);
        (tape.reshape(sum, &[batch, self.tower.classes]), frozen)
    }

    fn name_features(
        &self,
        _: &dyn Device,
        labels: &[String],
        _: &Templates,
        _: &dyn Watch,
    ) -> Result<NameFeatures, ClipError> {
        let width = self.tower.classes;
        let mut vectors = Vec::with_capacity(labels.len() * width);
        for label in labels {
            let Some(row) = self.concept(label) else {
                return Err(ClipError::UnknownName {
                    name: label.clone(),
                    model: self.name.clone(),
                    count: self.about.concepts.len(),
                    nearest: match self.nearest(label).as_slice() {
                        [] => "none is written like it".into(),
                        found => format!("nearest are {}", found.join(", ")),
                    },
                });
            };
            vectors.extend(&self.vectors[row * width..][..width]);
        }
        Ok(NameFeatures { vectors, notes: vec![] })
    }
}

fn metadata<T: DeserializeOwned>(file: &TensorFile, key: &str) -> Result<T, ClipError> {
    let text = file.metadata.get(key).map_or("", String::as_str);
    serde_json::from_str(text).map_err(|cause| ClipError::Json { path: file.path.clone(), cause })
}
