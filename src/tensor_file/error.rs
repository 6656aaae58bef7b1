//! What can be wrong with a tensor file.

use std::path::PathBuf;

use super::{MemberError, PositionMismatch};
use crate::device::DeviceError;

/// Each message is complete: it carries its cause in its text, not as a `source`.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    /// The operating system does not let the file be read.
    #[error("{path}: cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },

    /// The path is a folder, a pipe or the like.
    #[error("{path}: expected a file, found {found}")]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },

    /// The file has no bytes: a save that was cut short.
    #[error("{path}: the file is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },

    /// The first bytes are of neither format: the user gave another kind of file.
    #[error("{path}: neither a safetensors nor an .npz file, it looks like {looks_like}{advice}")]
    NotTensors {
        /// The file.
        path: PathBuf,
        /// The format that the bytes suggest.
        looks_like: &'static str,
        /// What to do about it; may be empty.
        advice: &'static str,
    },

    /// The length of the header cannot be true: another format, or a truncated file.
    #[error(
        "{path}: the header claims a length of {length} bytes, expected at most {limit}: not a safetensors file, or a truncated one"
    )]
    HeaderLength {
        /// The file.
        path: PathBuf,
        /// What the file says, in bytes.
        length: u64,
        /// The most that it can be.
        limit: u64,
    },

    /// The header is damaged, or the file is of another format.
    #[error("{path}: the safetensors header is not JSON: {cause}")]
    HeaderNotJson {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: serde_json::Error,
    },

    /// The header is JSON, but not what safetensors asks for, such as offsets that overlap.
    #[error("{path}: the safetensors header is invalid: {cause}")]
    Header {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: serde_json::Error,
    },

    /// The file is longer or shorter than its header says: most often a cut download.
    #[error("{path}: the header describes {expected} bytes, the file has {found}{}", if found < expected { ": it is truncated" } else { "" })]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes by the header.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },

    /// `first` is the first missing name in the order asked for, `unknown` the first name in the file that
    /// was not asked for: most often the same tensor under another name.
    #[error("{path}: tensor '{first}' is missing ({missing} of {expected} expected tensors are){}",
            unknown.as_ref().map(|name| format!("; the file has '{name}', which was not expected")).unwrap_or_default())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The first missing name.
        first: String,
        /// How many are missing.
        missing: usize,
        /// How many were asked for.
        expected: usize,
        /// A name that was not asked for, if there is one.
        unknown: Option<String>,
    },

    /// The file has tensors that the architecture does not have.
    #[error("{path}: tensor '{first}' was not expected ({extra} such tensors, {expected} expected ones)")]
    Extra {
        /// The file.
        path: PathBuf,
        /// The first such tensor.
        first: String,
        /// How many of them.
        extra: usize,
        /// How many were asked for.
        expected: usize,
    },

    /// A tensor has the right name and the wrong sizes.
    #[error("{path}: tensor '{name}' has shape {found:?}, expected {expected:?}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Shape by the architecture.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },

    /// A tensor of numbers is stored as integers or in an unknown type.
    #[error("{path}: tensor '{name}' has type {found}, expected F32, F64, F16 or BF16")]
    NotFloat {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type, as safetensors calls it.
        found: String,
    },

    /// A tensor holds an infinity or NaN, or a number beyond `f32`.
    #[error("{path}: tensor '{name}' is not finite as f32: element {index} is {value}")]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Of the first such element, row-major.
        index: usize,
        /// That element, as `f32`.
        value: f32,
    },

    /// A value of the file's metadata makes no sense.
    #[error("{path}: metadata '{key}' is '{found}', expected {expected}")]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Its key.
        key: &'static str,
        /// What was expected.
        expected: String,
        /// What the file has.
        found: String,
    },

    /// The zip archive cannot be read.
    #[error("{path}: a damaged .npz archive: {cause}")]
    Archive {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        cause: String,
    },

    /// The archive is whole and empty.
    #[error("{path}: the .npz archive has no arrays")]
    NoArrays {
        /// The file.
        path: PathBuf,
    },

    /// One array of the archive is no good.
    #[error("{path}: member '{name}' {error}")]
    Member {
        /// The file.
        path: PathBuf,
        /// The member.
        name: String,
        /// What is wrong with it.
        error: MemberError,
    },

    /// The tensors do not fit into memory.
    #[error("{path}: {cause}")]
    Memory {
        /// The file.
        path: PathBuf,
        /// How much was asked for.
        cause: DeviceError,
    },

    /// An array of a numbered list is missing.
    #[error(
        "{path}: the {arrays} arrays are not consecutive: 'arr_{missing}' is missing before 'arr_{next}'"
    )]
    Gap {
        /// The file.
        path: PathBuf,
        /// Its number.
        missing: usize,
        /// The number that comes in its place.
        next: usize,
        /// How many arrays the file has.
        arrays: usize,
    },

    /// To be matched before tensors are asked for by name.
    #[error(
        "{path}: tensor '{first}' is missing, the {arrays} arrays have no names but 'arr_0' and so on: \
         match them by position, or save them with their names, as np.savez(FILE, **state_dict) does"
    )]
    Unmatched {
        /// The file.
        path: PathBuf,
        /// The first such tensor.
        first: String,
        /// How many arrays the file has.
        arrays: usize,
    },

    /// Arrays were to be matched by position, and have names.
    #[error("{path}: the tensors have names, expected the arrays 'arr_0', 'arr_1', ... to match by position")]
    NotPositional {
        /// The file.
        path: PathBuf,
    },

    /// The number of arrays fits no part of the architecture.
    #[error("{path}: {found} arrays without names, expected {expected}")]
    PositionCount {
        /// The file.
        path: PathBuf,
        /// The numbers that would.
        expected: String,
        /// What the file has.
        found: usize,
    },

    /// An array's shape is not that of the tensor at its place.
    #[error("{path}: {mismatch}")]
    Position {
        /// The file.
        path: PathBuf,
        /// Which, and what may have happened.
        mismatch: Box<PositionMismatch>,
    },

    /// The file cannot be created, written or renamed.
    #[error("{path}: cannot be written: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
}
