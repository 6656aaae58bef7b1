//! Weights and gradients on disk: safetensors in, safetensors out.
//!
//! These files come from other people's training code, so everything here is about what can be wrong with
//! them: the wrong format, a cut download, another architecture's names, a NaN. Each of these is a
//! [`TensorFileError`] that names the file, the tensor, what was expected and what was found.

use std::collections::BTreeMap;
use std::path::PathBuf;

mod error;
mod gradient;
mod parameters;
mod read;
mod write;

pub use error::TensorFileError;
pub use gradient::{FORMAT as GRADIENT_FORMAT, GradientFile, GradientInfo};
pub use parameters::{Extra, ParameterSpec};

/// A row-major tensor: `data.len()` is the product of `shape`; a scalar has shape `[]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

/// A safetensors file in memory; see [`TensorFile::read`] and [`TensorFile::write`].
#[derive(Clone, Debug)]
pub struct TensorFile {
    /// Where it was read, for messages.
    pub path: PathBuf,
    /// F32, F64, F16 and BF16 tensors as f32, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Names of all other tensors with their type, such as PyTorch's `num_batches_tracked` (I64): kept
    /// aside, and an error only where one is asked for as a parameter.
    pub non_float: BTreeMap<String, String>,
    /// The header's `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}
