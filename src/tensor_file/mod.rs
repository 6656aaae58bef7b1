//! Weights and gradients on disk: safetensors or `.npz` in, safetensors out.
//!
//! These files come from other people's training code, so everything here is about what can be wrong with
//! them: the wrong format, a cut download, another architecture's names, a NaN. Each of these is a
//! [`TensorFileError`] that names the file, the tensor, what was expected and what was found.

use std::collections::BTreeMap;
use std::path::PathBuf;

mod eight_bits;
mod error;
mod gradient;
mod naming;
mod npz;
mod parameters;
mod partial;
mod positions;
mod read;
mod tidy;
mod weights;
mod write;

pub use error::TensorFileError;
pub use gradient::{FORMAT as GRADIENT_FORMAT, GradientFile, GradientInfo};
pub use naming::Naming;
pub use npz::MemberError;
pub use parameters::{Extra, ParameterSpec};
pub use partial::Partial;
pub use positions::{Candidate, Matching, PositionHint, PositionMismatch, PositionReport};
pub use weights::WeightsInfo;
pub use write::Storage;

/// A row-major tensor: `data.len()` is the product of `shape`; a scalar has shape `[]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// All elements, row-major.
    pub data: Vec<f32>,
}

/// A tensor whose elements are not floats, and are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonFloat {
    /// As safetensors calls it: `I64`, `BOOL`, …
    pub dtype: String,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
}

/// A safetensors or `.npz` file in memory; see [`TensorFile::read`] and [`TensorFile::write`].
///
/// ```
/// use std::collections::BTreeMap;
/// use gia_gpu::tensor_file::{Tensor, TensorFile};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("weights.safetensors");
/// let bias = Tensor { shape: vec![2], data: vec![0.5, -0.5] };
/// TensorFile::write(&path, &BTreeMap::from([("fc.bias".to_string(), bias.clone())]), &BTreeMap::new())?;
/// assert_eq!(TensorFile::read(&path)?.tensors["fc.bias"], bias);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TensorFile {
    /// Where it was read, for messages.
    pub path: PathBuf,
    /// F32, F64, F16 and BF16 tensors as f32, by name; and I8 tensors with a scale per output channel beside them
    /// ([`Storage::EightBits`]).
    pub tensors: BTreeMap<String, Tensor>,
    /// All other tensors by name, such as PyTorch's `num_batches_tracked` (I64): kept aside, and an error only
    /// where one is asked for as a parameter.
    pub non_float: BTreeMap<String, NonFloat>,
    /// The header's `__metadata__`; an `.npz` file has none.
    pub metadata: BTreeMap<String, String>,
    /// [`Naming::Positional`] tensors have to be matched ([`TensorFile::match_positions`]) before one can be
    /// asked for by name.
    pub naming: Naming,
}
