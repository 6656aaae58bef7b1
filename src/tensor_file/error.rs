//! What can be wrong with a tensor file.

use std::path::PathBuf;

use super::{MemberError, PositionMismatch};
use crate::device::DeviceError;

/// Each message is complete: it carries its cause in its text, not as a `source`.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    #[error("{path}: cannot be read: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },

    #[error("{path}: expected a file, found {found}")]
    NotAFile { path: PathBuf, found: &'static str },

    #[error("{path}: the file is empty")]
    Empty { path: PathBuf },

    #[error("{path}: neither a safetensors nor an .npz file, it looks like {looks_like}{advice}")]
    NotTensors { path: PathBuf, looks_like: &'static str, advice: &'static str },

    #[error(
        "{path}: the header claims a length of {length} bytes, expected at most {limit}: not a safetensors file, or a truncated one"
    )]
    HeaderLength { path: PathBuf, length: u64, limit: u64 },

    #[error("{path}: the safetensors header is not JSON: {cause}")]
    HeaderNotJson { path: PathBuf, cause: serde_json::Error },

    #[error("{path}: the safetensors header is invalid: {cause}")]
    Header { path: PathBuf, cause: serde_json::Error },

    #[error("{path}: the header describes {expected} bytes, the file has {found}{}", if found < expected { ": it is truncated" } else { "" })]
    Length { path: PathBuf, expected: u64, found: u64 },

    /// `first` is the first missing name in the order asked for, `unknown` the first name in the file that
    /// was not asked for: most often the same tensor under another name.
    #[error("{path}: tensor '{first}' is missing ({missing} of {expected} expected tensors are){}",
            unknown.as_ref().map(|name| format!("; the file has '{name}', which was not expected")).unwrap_or_default())]
    Missing { path: PathBuf, first: String, missing: usize, expected: usize, unknown: Option<String> },

    #[error("{path}: tensor '{first}' was not expected ({extra} such tensors, {expected} expected ones)")]
    Extra { path: PathBuf, first: String, extra: usize, expected: usize },

    #[error("{path}: tensor '{name}' has shape {found:?}, expected {expected:?}")]
    Shape { path: PathBuf, name: String, expected: Vec<usize>, found: Vec<usize> },

    #[error("{path}: tensor '{name}' has type {found}, expected F32, F64, F16 or BF16")]
    NotFloat { path: PathBuf, name: String, found: String },

    #[error("{path}: tensor '{name}' is not finite as f32: element {index} is {value}")]
    NotFinite { path: PathBuf, name: String, index: usize, value: f32 },

    #[error("{path}: metadata '{key}' is '{found}', expected {expected}")]
    Metadata { path: PathBuf, key: &'static str, expected: String, found: String },

    #[error("{path}: a damaged .npz archive: {cause}")]
    Archive { path: PathBuf, cause: String },

    #[error("{path}: the .npz archive has no arrays")]
    NoArrays { path: PathBuf },

    #[error("{path}: member '{name}' {error}")]
    Member { path: PathBuf, name: String, error: MemberError },

    #[error("{path}: {cause}")]
    Memory { path: PathBuf, cause: DeviceError },

    #[error(
        "{path}: the {arrays} arrays are not consecutive: 'arr_{missing}' is missing before 'arr_{next}'"
    )]
    Gap { path: PathBuf, missing: usize, next: usize, arrays: usize },

    /// To be matched before tensors are asked for by name.
    #[error(
        "{path}: tensor '{first}' is missing, the {arrays} arrays have no names but 'arr_0' and so on: \
         match them by position, or save them with their names, as np.savez(FILE, **state_dict) does"
    )]
    Unmatched { path: PathBuf, first: String, arrays: usize },

    #[error("{path}: the tensors have names, expected the arrays 'arr_0', 'arr_1', ... to match by position")]
    NotPositional { path: PathBuf },

    #[error("{path}: {found} arrays without names, expected {expected}")]
    PositionCount { path: PathBuf, expected: String, found: usize },

    #[error("{path}: {mismatch}")]
    Position { path: PathBuf, mismatch: Box<PositionMismatch> },

    #[error("{path}: cannot be written: {cause}")]
    Write { path: PathBuf, cause: String },
}
