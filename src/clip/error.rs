//! What can be wrong with a model, a name or a picture that is to be named.

use std::path::PathBuf;

use crate::{data::DataError, device::DeviceError, tensor_file::TensorFileError};

/// Each message is complete: it carries its cause in its text.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The weights cannot be read, or a tensor is no good.
    #[error(transparent)]
    File(#[from] TensorFileError),

    /// The device has no memory, or fails.
    #[error(transparent)]
    Device(#[from] DeviceError),

    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] DataError),

    /// A file beside the weights cannot be read.
    #[error("{path}: cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },

    /// The user's path is neither weights nor a folder that has them.
    #[error("{path}: expected a safetensors file or a folder with {expected}, found neither")]
    NoWeights {
        /// The file.
        path: PathBuf,
        /// Names of the files that are looked for.
        expected: String,
    },

    /// The file has tensors of another model.
    #[error(
        "{path}: not a CLIP: {missing} of {expected} expected tensors are missing, such as {examples}; {looks_like}"
    )]
    NotClip {
        /// The file.
        path: PathBuf,
        /// Tensors of a CLIP that the file does not have.
        missing: usize,
        /// Tensors that were looked for.
        expected: usize,
        /// Some of the missing ones.
        examples: String,
        /// What the names suggest.
        looks_like: String,
    },

    /// A tensor's sizes do not go with those of the others.
    #[error("{path}: tensor '{name}' has shape {found:?}, expected {expected}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What was expected.
        expected: String,
        /// Its shape.
        found: Vec<usize>,
    },

    /// The model has parts that are not computed here.
    #[error("{path}: {count} tensors belong to no CLIP that can be computed, such as '{first}': {what}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The first such tensor.
        first: String,
        /// How many there are.
        count: usize,
        /// What they are a part of.
        what: &'static str,
    },

    /// A file beside the weights is not JSON.
    #[error("{path}: {cause}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        cause: serde_json::Error,
    },

    /// A key has a value that is not computed, or that the tensors contradict.
    #[error("{path}: '{key}' is {found}, expected {expected}")]
    Config {
        /// The file.
        path: PathBuf,
        /// With the keys above it, as in `vision_cfg.pool_type`.
        key: String,
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },

    /// The caller gave a token beyond the model's vocabulary.
    #[error("token {id} is not in the model's vocabulary of {rows}")]
    Vocabulary {
        /// The token.
        id: usize,
        /// Rows of the model's token embedding.
        rows: usize,
    },

    /// The model's vocabulary is not CLIP's, and its tokeniser is not beside it.
    #[error(
        "{folder}: the words of CLIP's own tokeniser are not in the model's vocabulary of {rows}, expected {}; expected a \
         tokenizer.json beside the weights, found none",
        super::tokens::VOCABULARY
    )]
    NoTokenizer {
        /// Where a `tokenizer.json` is looked for.
        folder: PathBuf,
        /// Rows of the model's token embedding.
        rows: usize,
    },

    /// The tokeniser is damaged or of a kind that is not known.
    #[error("{path}: not a tokenizer.json that can be read: {what}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },

    /// The tokeniser is another model's.
    #[error("{path}: the vocabulary of {found} is not the model's, whose token embedding has {rows} rows")]
    OtherVocabulary {
        /// The file.
        path: PathBuf,
        /// Size of its vocabulary.
        found: usize,
        /// Rows of the model's token embedding.
        rows: usize,
    },

    /// The tokeniser fails on a text.
    #[error("\"{text}\" cannot be made tokens of: {what}")]
    Tokens {
        /// The text.
        text: String,
        /// What is wrong.
        what: String,
    },

    /// The model reads texts too short to name anything.
    #[error("the model's context of {context} tokens has no room for a word, expected at least {expected}")]
    Context {
        /// Tokens that it reads.
        context: usize,
        /// The least that is of use.
        expected: usize,
    },

    /// The user's file of templates has none, or one without a place for the name.
    #[error("{path}: {what}")]
    Templates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },

    /// The user gave an empty label.
    #[error("label {index} is empty")]
    EmptyLabel {
        /// Its place, from 1.
        index: usize,
    },

    /// The user gave a label twice.
    #[error("label \"{label}\" stands twice, at {first} and {second}")]
    DuplicateLabel {
        /// The label.
        label: String,
        /// Its first place, from 1.
        first: usize,
        /// Its second place, from 1.
        second: usize,
    },

    /// The user gave a label that the model would cut.
    #[error("label \"{label}\" is {found} tokens long, the model reads {limit}: shorten it")]
    LongLabel {
        /// The label.
        label: String,
        /// Its tokens.
        found: usize,
        /// Tokens that the model reads of a label.
        limit: usize,
    },

    /// The user gave a name that a bank of concepts does not have.
    #[error(
        "\"{name}\" is none of the {count} names that {model} knows ({nearest}); a full CLIP knows every name: --clip PATH"
    )]
    UnknownName {
        /// The name.
        name: String,
        /// The bank.
        model: String,
        /// Names that it knows.
        count: usize,
        /// Those that are spelled most like it.
        nearest: String,
    },

    /// The user's folder of examples is not a folder a name with pictures in it.
    #[error("{folder}: expected {expected}, found {found}")]
    Examples {
        /// The folder.
        folder: PathBuf,
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },

    /// The user gave no labels at all.
    #[error("no labels to choose from")]
    NoLabels,

    /// A picture has sides or channels that the model cannot take.
    #[error("{what}: {found}, expected {expected}")]
    PictureSize {
        /// Which picture.
        what: String,
        /// What there is.
        found: String,
        /// What was expected.
        expected: String,
    },

    /// The network overflows on an input.
    #[error("{what}: the features are not finite: the network overflows")]
    NotFinite {
        /// Which input.
        what: String,
    },
}
