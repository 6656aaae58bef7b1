//! What the shapes of a model's tensors do not say: heads, activation, pooling, masks, the preparation of pictures and
//! texts. From the JSON files beside the weights: Hugging Face's `config.json` (`hugging_face`) with
//! `preprocessor_config.json` (`processor`), or OpenCLIP's `open_clip_config.json` (`open_clip`). A key with
//! another value than what is computed is refused by its name.

mod hugging_face;
mod json;
mod open_clip;
mod processor;

use std::path::{Path, PathBuf};

pub use json::{Json, Part};
pub use processor::SideClaim;

use super::{ClipError, Naming, preprocess::Preprocessing, vocabulary::Clean};
use crate::spelling::choices;

choices! {
    /// Of the hidden layer of each block.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Activation {
        /// x·σ(1.702x), of OpenAI's weights
        QuickGelu = "quick-gelu",
        /// x·Φ(x), of most weights that OpenCLIP trained
        Gelu = "gelu",
        /// x·Φ(x), approximated with tanh, of SigLIP
        GeluTanh = "gelu-tanh",
    }
}

/// How many parts an attention has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// So many.
    Count(usize),
    /// The tower's width divided by this, rounded down.
    OfWidth(usize),
}

/// Which token's state a tower's feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Of a picture: the class token's.
    First,
    /// The last token's.
    Last,
    /// The mean of all but the first.
    Average,
    /// The first token of the largest id.
    Argmax,
    /// The first token of this id; the first of all where there is none.
    Eos(usize),
}

/// A size that a file states and that the tensors have too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Of the tower's tokens.
    Width,
    /// Blocks of the tower.
    Layers,
    /// Of a block's hidden layer.
    Hidden,
    /// Side of a patch, in pixels.
    Patch,
    /// Side of the pictures.
    Image,
    /// Of the text.
    Context,
    /// How many tokens have an embedding.
    Vocabulary,
    /// Of the space that pictures and words share.
    Shared,
    /// Of the attentional pooling.
    Queries,
}

/// A part of a tower that a file says is there, or is not, and that the tensors show too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A norm in front of the blocks.
    NormPre,
    /// A factor for each channel behind attention and MLP.
    LayerScale,
    /// Attentional pooling.
    Pooler,
    /// A matrix to the space that pictures and words share.
    Projection,
    /// A bias of that matrix.
    ProjectionBias,
    /// A class token behind the text.
    Class,
}

impl Piece {
    /// In words, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Piece::NormPre => "a norm in front of the blocks",
            Piece::LayerScale => "layer scale",
            Piece::Pooler => "attentional pooling",
            Piece::Projection => "a projection",
            Piece::ProjectionBias => "a bias of the projection",
            Piece::Class => "a class token",
        }
    }
}

/// Something to compare with the tensors.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// A size has this value.
    Size(Size, usize),
    /// A part is there, or is not.
    Piece(Piece, bool),
}

/// Choices for one tower; `None` where no file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    /// Of every attention.
    pub heads: Option<Heads>,
    /// Between the layers of a block's MLP.
    pub activation: Option<Activation>,
    /// What norms add to the variance.
    pub epsilon: Option<f64>,
    /// Which token's state the feature is.
    pub pool: Option<Pool>,
    /// Whether tokens see those before them alone.
    pub causal: Option<bool>,
    /// What a class token behind a text does not look at.
    pub pad_id: usize,
    /// Whether the last norm comes after the pooling.
    pub norm_after_pool: bool,
    /// Of the attentional pooling.
    pub pooler_heads: Option<usize>,
    /// Side of the pictures.
    pub image_size: Option<usize>,
    /// Blocks of the four stages of a ResNet.
    pub stages: Option<[usize; 4]>,
    /// Keys, and what they claim.
    pub claims: Vec<(String, Claim)>,
}

/// How OpenCLIP prepares a text for a `tokenizer.json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextFiles {
    /// `text_cfg.hf_tokenizer_name`: a `tokenizer.json` is asked for.
    pub named: Option<String>,
    /// What is done to the text before it is cut into tokens; `None` where no file says.
    pub clean: Option<Clean>,
    /// Separators are replaced by zeros.
    pub strip_separator: bool,
}

/// Who wrote the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// `transformers`.
    HuggingFace,
    /// OpenCLIP.
    OpenClip,
}

/// What the JSON files beside the weights say.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// For the image tower.
    pub image: Choices,
    /// For the text tower.
    pub text: Choices,
    /// How a picture becomes the model's input, where a file says.
    pub preprocessing: Option<Preprocessing>,
    /// The side of the model's pictures, where `preprocessing` says it.
    pub side: Option<SideClaim>,
    /// How a text is prepared for a `tokenizer.json`.
    pub text_files: TextFiles,
    /// Whether the logits have a bias, where a file says.
    pub bias: Option<(String, bool)>,
    /// `None` where there is no file beside the weights.
    pub writer: Option<Writer>,
    /// The file that `image` and `text` come from.
    pub path: Option<PathBuf>,
    /// Where all files lie.
    pub folder: PathBuf,
}

impl Sources {
    /// Reads what there is in the folder for tensors of these names. Each library's tensors go with its own files; the
    /// other's describe the same model where those are missing.
    ///
    /// # Errors
    /// JSON that is broken, is another model's, or says something that cannot be computed.
    pub fn read(folder: &Path, naming: Naming) -> Result<Sources, ClipError> {
        let mut found = Sources { folder: folder.into(), ..Sources::default() };
        let [config, open_config] = ["config.json", "open_clip_config.json"].map(|name| folder.join(name));
        let own_first = match naming {
            Naming::HuggingFace { .. } => [(Writer::HuggingFace, config), (Writer::OpenClip, open_config)],
            Naming::OpenClip { .. } => [(Writer::OpenClip, open_config), (Writer::HuggingFace, config)],
        };
        for (writer, path) in own_first {
            if let Some(file) = Json::read(path)? {
                match writer {
                    Writer::HuggingFace => hugging_face::read(&file, naming, &mut found)?,
                    Writer::OpenClip => open_clip::read(&file, naming, &mut found)?,
                }
                found.path = Some(file.path);
                found.writer = Some(writer);
                break;
            }
        }
        if found.writer != Some(Writer::OpenClip) {
            let prepared = processor::read(folder, naming)?;
            found.side = prepared.as_ref().map(|prepared| prepared.side.clone());
            found.preprocessing = prepared.map(|prepared| prepared.preprocessing);
        }
        Ok(found)
    }
}
