//! What can be wrong with a model, a name or a picture that is to be named.

use std::path::PathBuf;

use crate::{data::DataError, device::DeviceError, tensor_file::TensorFileError};

/// Each message is complete: it carries its cause in its text.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    #[error(transparent)]
    File(#[from] TensorFileError),

    #[error(transparent)]
    Device(#[from] DeviceError),

    #[error(transparent)]
    Picture(#[from] DataError),

    #[error("{path}: cannot be read: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },

    #[error("{path}: expected a safetensors file or a folder with {expected}, found neither")]
    NoWeights { path: PathBuf, expected: String },

    #[error(
        "{path}: not a CLIP: {missing} of {expected} expected tensors are missing, such as {examples}; {looks_like}"
    )]
    NotClip { path: PathBuf, missing: usize, expected: usize, examples: String, looks_like: String },

    #[error("{path}: tensor '{name}' has shape {found:?}, expected {expected}")]
    Shape { path: PathBuf, name: String, expected: String, found: Vec<usize> },

    #[error("{path}: {count} tensors belong to no CLIP that can be computed, such as '{first}': {what}")]
    Unsupported { path: PathBuf, first: String, count: usize, what: &'static str },

    #[error("{path}: {cause}")]
    Json { path: PathBuf, cause: serde_json::Error },

    #[error("{path}: '{key}' is {found}, expected {expected}")]
    Config { path: PathBuf, key: String, expected: String, found: String },

    #[error("token {id} is not in the model's vocabulary of {rows}")]
    Vocabulary { id: usize, rows: usize },

    #[error(
        "{folder}: the words of CLIP's own tokeniser are not in the model's vocabulary of {rows}, expected {}; expected a \
         tokenizer.json beside the weights, found none",
        super::tokens::VOCABULARY
    )]
    NoTokenizer { folder: PathBuf, rows: usize },

    #[error("{path}: not a tokenizer.json that can be read: {what}")]
    Tokenizer { path: PathBuf, what: String },

    #[error("{path}: the vocabulary of {found} is not the model's, whose token embedding has {rows} rows")]
    OtherVocabulary { path: PathBuf, found: usize, rows: usize },

    #[error("\"{text}\" cannot be made tokens of: {what}")]
    Tokens { text: String, what: String },

    #[error("the model's context of {context} tokens has no room for a word, expected at least {expected}")]
    Context { context: usize, expected: usize },

    #[error("{path}: {what}")]
    Templates { path: PathBuf, what: String },

    #[error("label {index} is empty")]
    EmptyLabel { index: usize },

    #[error("label \"{label}\" stands twice, at {first} and {second}")]
    DuplicateLabel { label: String, first: usize, second: usize },

    #[error("label \"{label}\" is {found} tokens long, the model reads {limit}: shorten it")]
    LongLabel { label: String, found: usize, limit: usize },

    #[error(
        "\"{name}\" is none of the {count} names that {model} knows ({nearest}); a full CLIP knows every name: --clip PATH"
    )]
    UnknownName { name: String, model: String, count: usize, nearest: String },

    #[error("{folder}: expected {expected}, found {found}")]
    Examples { folder: PathBuf, expected: String, found: String },

    #[error("no labels to choose from")]
    NoLabels,

    #[error("{what}: {found}, expected {expected}")]
    PictureSize { what: String, found: String, expected: String },

    #[error("{what}: the features are not finite: the network overflows")]
    NotFinite { what: String },
}
