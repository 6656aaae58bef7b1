//! A CLIP in memory: both towers, and what turns cosines into probabilities.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::{
    Activation, ClipError, Encoder, Sources, Templates, Tokens,
    encoder::{NameFeatures, Progress, TextEncoder, mean_directions},
    image,
    looks_like::looks_like,
    naming::{Naming, Side},
    preprocess,
    tokens::VOCABULARY,
    tower::{Frozen, Tower},
};
use crate::{
    data::Normalisation,
    device::Device,
    tape::{Tape, Var},
    tensor_file::TensorFile,
};

/// What a folder's weights may be called, in the order that they are looked for.
const FILES: [&str; 3] =
    ["model.safetensors", "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"];

pub struct Clip {
    /// The file of its weights.
    pub path: PathBuf,
    pub naming: Naming,
    pub image: Tower,
    pub text: Tower,
    /// Factor of cosines before the softmax: exp of the learned logarithm.
    pub scale: f32,
    pub normalisation: Normalisation,
    /// What was assumed because no file says it.
    pub notes: Vec<String>,
    tokens: Tokens,
}

impl Clip {
    /// Reads a safetensors file, or `model.safetensors` in a folder, with the JSON files beside it. `activation` where
    /// the user knows better than the files.
    pub fn open(path: &Path, activation: Option<Activation>) -> Result<Clip, ClipError> {
        let path = weights_in(path)?;
        let sources = Sources::read(path.parent().unwrap_or(Path::new(".")))?;
        Clip::from_file(TensorFile::read(&path)?, &sources, activation)
    }

    /// From a file in memory.
    pub fn from_file(
        mut file: TensorFile,
        sources: &Sources,
        activation: Option<Activation>,
    ) -> Result<Clip, ClipError> {
        let path = file.path.clone();
        let naming = check_names(&file)?;
        let scale = take_scale(&mut file)?;
        let mut notes = vec![];
        let assumed = activation.unwrap_or_else(|| guess(&file, naming));
        let said = activation.is_some() || sources.image.activation.is_some();
        if !said && !original(&file) {
            let name = match assumed {
                Activation::QuickGelu => "QuickGELU",
                Activation::Gelu => "GELU",
            };
            notes.push(format!(
                "{}: no config.json or open_clip_config.json says the activation: {name} assumed (--clip-activation changes it)",
                path.display()
            ));
        }
        let choose = |choices: super::config::Choices| super::config::Choices {
            activation: activation.or(choices.activation),
            ..choices
        };
        let image = Tower::take(&mut file, naming, Side::Image, choose(sources.image), assumed)?;
        let text = Tower::take(&mut file, naming, Side::Text, choose(sources.text), assumed)?;
        for (tower, choices) in [(&image, sources.image), (&text, sources.text)] {
            if let (Some(width), Some(config)) = (choices.width, &sources.path)
                && width != tower.width
            {
                return Err(ClipError::Config {
                    path: config.clone(),
                    key: "hidden_size or width".into(),
                    expected: format!("{}, the width of the tensors in {}", tower.width, path.display()),
                    found: width.to_string(),
                });
            }
        }
        check_rest(&file)?;
        if image.projection() != text.projection() {
            let place = naming.place(Side::Text, "projection");
            return Err(ClipError::Shape {
                path,
                name: place.name,
                expected: format!("an image tower's width of {}", image.projection()),
                found: text.tensor("projection").shape.clone(),
            });
        }
        let normalisation = sources.normalisation.clone().unwrap_or_else(preprocess::normalisation);
        Ok(Clip { path, naming, image, text, scale, normalisation, notes, tokens: Tokens::new() })
    }

    /// `L`: tokens that the text tower reads.
    pub fn context(&self) -> usize {
        self.text.tensor("position").shape[0]
    }

    /// Features of texts given as token ids, `(N,E)`, of any length. A text ends with its last id.
    pub fn text_features(
        &self,
        device: &dyn Device,
        texts: &[&[usize]],
        progress: Progress,
    ) -> Result<Vec<f32>, ClipError> {
        TextEncoder::new(&self.text).features(device, texts, progress)
    }
}

impl Encoder for Clip {
    fn model(&self) -> String {
        self.path.display().to_string()
    }

    fn scale(&self) -> f32 {
        self.scale
    }

    fn image_size(&self) -> usize {
        let patch = self.image.tensor("patch.weight").shape[2];
        (self.image.tensor("position").shape[0] - 1).isqrt() * patch
    }

    fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let mut weights = Frozen::new(&self.image);
        let features = image::encode(tape, &mut weights, pixels);
        (features, weights.used)
    }

    fn name_features(
        &self,
        device: &dyn Device,
        labels: &[String],
        templates: &Templates,
        progress: Progress,
    ) -> Result<NameFeatures, ClipError> {
        let context = self.context();
        if context < 3 {
            return Err(ClipError::Context { context });
        }
        let rows = self.text.tensor("token").shape[0];
        let mut texts = Vec::with_capacity(labels.len() * templates.len());
        let mut cut = 0;
        for label in labels {
            let found = self.tokens.count(label);
            if found > context - 2 {
                return Err(ClipError::LongLabel { label: label.clone(), found, limit: context - 2 });
            }
            for prompt in templates.prompts(label) {
                let text = self.tokens.text(&prompt, context);
                if let Some(&id) = text.ids.iter().find(|&&id| id >= rows) {
                    return Err(ClipError::Vocabulary { text: prompt, id, rows, expected: VOCABULARY });
                }
                cut += usize::from(text.cut > 0);
                texts.push(text.ids);
            }
        }
        let texts: Vec<&[usize]> = texts.iter().map(Vec::as_slice).collect();
        let features = self.text_features(device, &texts, progress)?;
        let vectors = mean_directions(&features, self.text.projection(), templates.len(), || self.model())?;
        let mut notes = vec![];
        if cut > 0 {
            let all = texts.len();
            notes.push(format!("{cut} of {all} prompts were cut to the model's context of {context} tokens"));
        }
        Ok(NameFeatures { vectors, notes })
    }
}

fn weights_in(path: &Path) -> Result<PathBuf, ClipError> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let found = FILES.iter().map(|name| path.join(name)).find(|file| file.exists());
    found.ok_or_else(|| ClipError::NoWeights { path: path.into(), expected: FILES[0].into() })
}

/// Whether all tensors of a CLIP are there, of any shape.
fn check_names(file: &TensorFile) -> Result<Naming, ClipError> {
    let naming = Naming::of(file);
    let names = naming.unwrap_or(Naming::HuggingFace);
    let places = |side| {
        let layers = Tower::count_layers(file, names, side).max(1);
        Tower::names(side, layers).into_iter().map(move |name| names.place(side, &name).name)
    };
    let mut all: Vec<String> = places(Side::Image).chain(places(Side::Text)).collect();
    all.push("logit_scale".into());
    // Query, key and value may be parts of one tensor.
    let mut seen = HashSet::new();
    all.retain(|name| seen.insert(name.clone()));
    let has = |name: &String| file.tensors.contains_key(name) || file.non_float.contains_key(name);
    let missing: Vec<&String> = all.iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Ok(names);
    }
    let few = naming.is_some() && missing.len() * 4 < all.len();
    let examples: Vec<String> = missing.iter().take(3).map(|name| format!("'{name}'")).collect();
    Err(ClipError::NotClip {
        path: file.path.clone(),
        missing: missing.len(),
        expected: all.len(),
        examples: examples.join(", "),
        looks_like: if few { "the rest is there: the file is not complete".into() } else { looks_like(file) },
    })
}

fn take_scale(file: &mut TensorFile) -> Result<f32, ClipError> {
    const NAME: &str = "logit_scale";
    let path = file.path.clone();
    let Some(tensor) = file.tensors.remove(NAME) else {
        let found = file.non_float[NAME].dtype.clone();
        return Err(crate::tensor_file::TensorFileError::NotFloat { path, name: NAME.into(), found }.into());
    };
    let &[logarithm] = tensor.data.as_slice() else {
        let (name, expected) = (NAME.into(), "one number".into());
        return Err(ClipError::Shape { path, name, expected, found: tensor.shape });
    };
    // A NaN stays one in `min`'s place.
    if !logarithm.is_finite() {
        let (name, index, value) = (NAME.into(), 0, logarithm);
        return Err(crate::tensor_file::TensorFileError::NotFinite { path, name, index, value }.into());
    }
    Ok(logarithm.exp())
}

/// OpenAI's own checkpoints say so by three numbers that nobody else saves.
fn original(file: &TensorFile) -> bool {
    ["input_resolution", "context_length", "vocab_size"]
        .iter()
        .all(|name| file.tensors.contains_key(*name) || file.non_float.contains_key(*name))
}

fn guess(file: &TensorFile, naming: Naming) -> Activation {
    match naming {
        Naming::HuggingFace => Activation::QuickGelu,
        Naming::OpenClip(_) if original(file) => Activation::QuickGelu,
        Naming::OpenClip(_) => Activation::Gelu,
    }
}

/// Nothing may be left over: it would belong to a part that is not computed.
fn check_rest(file: &TensorFile) -> Result<(), ClipError> {
    const HARMLESS: [&str; 6] =
        ["position_ids", "attn_mask", "input_resolution", "context_length", "vocab_size", "logit_scale"];
    let counts = |name: &&String| !HARMLESS.iter().any(|end| name.ends_with(end));
    let mut rest = file.tensors.keys().filter(counts);
    let Some(first) = rest.next() else { return Ok(()) };
    let what = match first {
        name if name.contains("logit_bias") => {
            "a bias of the logits is SigLIP's, whose probabilities are no softmax"
        }
        name if name.contains(".ls_") => "layer scale is not computed",
        _ => "the model has a part that is not computed",
    };
    Err(ClipError::Unsupported {
        path: file.path.clone(),
        first: first.clone(),
        count: 1 + rest.count(),
        what,
    })
}
