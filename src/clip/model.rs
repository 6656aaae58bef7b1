//! A CLIP in memory: both towers, and what turns cosines into probabilities.

use std::path::{Path, PathBuf};

use super::{
    Activation, ClipError, Encoder, Head, ImageTower, Naming, Sources, Templates, assumed, checks,
    config::Choices,
    encoder::{NameFeatures, TextEncoder, mean_directions},
    naming::Side,
    preprocess::Preprocessing,
    text::{self, Padding},
    tower::Tower,
    vocabulary::Vocabulary,
    weights::weights_in,
};
use crate::{
    data::Normalisation,
    device::Device,
    tape::{Tape, Var},
    tensor_file::TensorFile,
    watch::Watch,
};

/// Both towers with their weights.
pub struct Clip {
    /// The file of its weights.
    pub path: PathBuf,
    /// Whose names the file's tensors have.
    pub naming: Naming,
    /// Makes features of pictures.
    pub image: ImageTower,
    /// Makes features of texts.
    pub text: Tower,
    /// Makes probabilities of cosines.
    pub head: Head,
    /// How a picture becomes the image tower's input.
    pub preprocessing: Preprocessing,
    /// What was assumed because no file says it.
    pub notes: Vec<String>,
    vocabulary: Vocabulary,
    folder: PathBuf,
}

impl Clip {
    /// Reads a safetensors file, or `model.safetensors` in a folder, with the JSON files beside it. `activation` where
    /// the user knows better than the files.
    pub fn open(path: &Path, activation: Option<Activation>) -> Result<Clip, ClipError> {
        let path = weights_in(path)?;
        let file = TensorFile::read(&path)?;
        let naming = checks::names(&file)?;
        let sources = Sources::read(path.parent().unwrap_or(Path::new(".")), naming)?;
        Clip::from_file(file, &sources, activation)
    }

    /// From a file in memory.
    pub fn from_file(
        mut file: TensorFile,
        sources: &Sources,
        activation: Option<Activation>,
    ) -> Result<Clip, ClipError> {
        let path = file.path.clone();
        let naming = checks::names(&file)?;
        let original = assumed::original(&file);
        let head = Head::take(&mut file, naming, sources)?;
        let assumed = activation.unwrap_or_else(|| assumed::activation(&file, naming));
        let choose =
            |choices: &Choices| Choices { activation: activation.or(choices.activation), ..choices.clone() };
        let image = ImageTower::take(&mut file, naming, &choose(&sources.image), assumed)?;
        let text = Tower::take(&mut file, naming, Side::Text, &choose(&sources.text), assumed)?;
        checks::rest(&file)?;
        if image.projection() != text.projection() {
            let name = ["projection", "projection.weight", "norm_post.weight"]
                .into_iter()
                .find(|name| text.tensors.contains_key(*name));
            let name = name.expect("every tower has a last norm");
            let found = text.tensor(name).shape.clone();
            let expected = format!("an image tower's width of {}", image.projection());
            return Err(ClipError::Shape {
                path,
                name: naming.place(Side::Text, name).name,
                expected,
                found,
            });
        }
        checks::claims(sources, &path, &image, &text)?;
        let default = if naming.is_siglip() { Preprocessing::siglip() } else { Preprocessing::openai() };
        let notes = match original {
            true => vec![],
            false => {
                let heads = [image.heads(), text.heads];
                assumed::notes(&path, sources, activation.is_some(), assumed, heads, naming.is_siglip())
            }
        };
        let vocabulary = Vocabulary::find(sources, naming, text.tensor("token").shape[0])?;
        if text::ends_early(&text) && vocabulary.pads_in_front() {
            return Err(ClipError::Config {
                path: sources.folder.join("tokenizer_config.json"),
                key: "padding_side".into(),
                expected: "\"right\" for a model whose texts end at a token".into(),
                found: "\"left\"".into(),
            });
        }
        let preprocessing = sources.preprocessing.clone().unwrap_or(default);
        let folder = sources.folder.clone();
        Ok(Clip { path, naming, image, text, head, preprocessing, notes, vocabulary, folder })
    }

    /// `L`: tokens that the text tower reads.
    pub fn context(&self) -> usize {
        self.text.context()
    }

    /// Ids of a text, at most the context, without the padding.
    ///
    /// # Errors
    /// No file says what the model's vocabulary is.
    pub fn tokens(&self, text: &str) -> Result<Vec<usize>, ClipError> {
        let rows = self.text.tensor("token").shape[0];
        Ok(self.vocabulary.text(text, self.context(), rows)?.ids)
    }

    /// Features of texts given as token ids, `(N,E)`, of any length. What a text lacks up to the context is filled with
    /// the vocabulary's padding, where the model looks at it.
    pub fn text_features(
        &self,
        device: &dyn Device,
        texts: &[&[usize]],
        watch: &dyn Watch,
    ) -> Result<Vec<f32>, ClipError> {
        let context = self.context();
        let rows = self.text.tensor("token").shape[0];
        let short = !text::ends_early(&self.text) && texts.iter().any(|text| text.len() < context);
        let padding = if short { self.vocabulary.padding(&self.folder)? } else { Padding::default() };
        let mut placed = Vec::with_capacity(texts.len());
        for &ids in texts {
            if let Some(&id) = ids.iter().find(|&&id| id >= rows) {
                return Err(ClipError::Vocabulary { id, rows });
            }
            placed.push(text::place(&self.text, ids, padding));
        }
        TextEncoder::new(&self.text).features(device, &placed, watch)
    }
}

impl Encoder for Clip {
    fn model(&self) -> String {
        self.path.display().to_string()
    }

    fn head(&self) -> Head {
        self.head
    }

    fn image_size(&self) -> usize {
        self.image.image_size()
    }

    fn normalisation(&self) -> &Normalisation {
        &self.preprocessing.normalisation
    }

    fn preprocess(&self, tape: &mut Tape, pixels: Var) -> Var {
        self.preprocessing.apply(tape, pixels, self.image_size())
    }

    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        self.image.encode(tape, pixels)
    }

    fn name_features(
        &self,
        device: &dyn Device,
        labels: &[String],
        templates: &Templates,
        watch: &dyn Watch,
    ) -> Result<NameFeatures, ClipError> {
        let (context, around) = (self.context(), self.vocabulary.around());
        if context <= around {
            return Err(ClipError::Context { context, expected: around + 1 });
        }
        let rows = self.text.tensor("token").shape[0];
        let mut texts = Vec::with_capacity(labels.len() * templates.len());
        let mut cut = 0;
        for label in labels {
            let found = self.vocabulary.count(label, rows)?;
            if found > context - around {
                return Err(ClipError::LongLabel { label: label.clone(), found, limit: context - around });
            }
            for prompt in templates.prompts(label) {
                let text = self.vocabulary.text(&prompt, context, rows)?;
                cut += usize::from(text.cut > 0);
                texts.push(text.ids);
            }
        }
        let texts: Vec<&[usize]> = texts.iter().map(Vec::as_slice).collect();
        let features = self.text_features(device, &texts, watch)?;
        let vectors = mean_directions(&features, self.text.projection(), templates.len(), || self.model())?;
        let mut notes = vec![];
        if cut > 0 {
            let all = texts.len();
            notes.push(format!("{cut} of {all} prompts were cut to the model's context of {context} tokens"));
        }
        Ok(NameFeatures { vectors, notes })
    }
}
