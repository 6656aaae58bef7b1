//! Writing: the same content gives the same bytes, and a file appears whole or not at all.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::read::{METADATA, PREFIX, regular_file};
use super::{Tensor, TensorFile, TensorFileError, eight_bits};
use crate::files::outgoing::{self, Outgoing};

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Every tensor in F32, without loss.
    F32,
    /// Matrices and kernels in F16, vectors in F32.
    Halves,
    /// Matrices and kernels in 8 bits with a scale per output channel, vectors in F32.
    EightBits,
}

/// A tensor as a file has it.
enum Stored<'a> {
    Floats(&'a Tensor),
    /// Rounded to F16.
    Halves(&'a Tensor),
    /// Rounded, given a scale per output channel.
    Bytes(&'a Tensor, Vec<f32>),
    /// Those scales: `(O)`.
    Scales(Vec<f32>),
}

impl Stored<'_> {
    fn shape(&self) -> Vec<usize> {
        match self {
            Stored::Floats(tensor) | Stored::Halves(tensor) | Stored::Bytes(tensor, _) => {
                tensor.shape.clone()
            }
            Stored::Scales(scales) => vec![scales.len()],
        }
    }

    fn dtype(&self) -> Dtype {
        match self {
            Stored::Bytes(..) => Dtype::I8,
            Stored::Halves(_) => Dtype::F16,
            Stored::Floats(_) | Stored::Scales(_) => Dtype::F32,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Stored::Floats(tensor) => 4 * tensor.data.len(),
            Stored::Halves(tensor) => 2 * tensor.data.len(),
            Stored::Bytes(tensor, _) => tensor.data.len(),
            Stored::Scales(scales) => 4 * scales.len(),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Stored::Floats(Tensor { data, .. }) | Stored::Scales(data) => {
                data.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
            }
            Stored::Halves(Tensor { data, .. }) => {
                data.iter().try_for_each(|&value| out.write_all(&half::f16::from_f32(value).to_le_bytes()))
            }
            Stored::Bytes(tensor, scales) => {
                eight_bits::round(tensor, scales).try_for_each(|number| out.write_all(&number.to_le_bytes()))
            }
        }
    }
}

impl TensorFile {
    /// Writes tensors as F32, sorted by name. An existing file is replaced only once the new one is
    /// complete: it is written under a temporary name in the same folder, then renamed.
    pub fn write(
        path: &Path,
        tensors: &BTreeMap<String, Tensor>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), TensorFileError> {
        Self::write_as(path, tensors, metadata, Storage::F32)
    }

    /// The same with numbers stored as told.
    pub fn write_as(
        path: &Path,
        tensors: &BTreeMap<String, Tensor>,
        metadata: &BTreeMap<String, String>,
        storage: Storage,
    ) -> Result<(), TensorFileError> {
        let fail = |cause: String| TensorFileError::Write { path: path.into(), cause };
        let stored = stored(tensors, storage).map_err(fail)?;
        let header = header(&stored, metadata).map_err(fail)?;
        let mut file = temporary_beside(path)?;
        let io = |error: io::Error| fail(error.kind().to_string());
        write_content(&mut file, &header, &stored).and_then(|()| file.keep()).map_err(io)
    }

    /// Whether [`TensorFile::write`] could write to `path`, for asking before a long computation.
    pub fn check_writable(path: &Path) -> Result<(), TensorFileError> {
        temporary_beside(path).map(drop)
    }
}

/// The tensors of a file, by name.
fn stored(
    tensors: &BTreeMap<String, Tensor>,
    storage: Storage,
) -> Result<BTreeMap<String, Stored<'_>>, String> {
    let mut stored = BTreeMap::new();
    for (name, tensor) in tensors {
        let Tensor { shape, data } = tensor;
        if name == METADATA {
            return Err(format!("a tensor cannot be named '{METADATA}'"));
        }
        let elements = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if elements != Some(data.len()) {
            return Err(format!("tensor '{name}' has shape {shape:?} but {} elements", data.len()));
        }
        if storage == Storage::EightBits && eight_bits::suits(tensor) {
            if let Some(value) = data.iter().find(|value| !value.is_finite()) {
                return Err(format!("tensor '{name}' holds {value}, which 8 bits with a scale cannot"));
            }
            let scales = eight_bits::scales(tensor);
            stored.insert(name.clone(), Stored::Bytes(tensor, scales.clone()));
            let name = name.clone() + eight_bits::SCALE;
            if tensors.contains_key(&name) {
                return Err(format!("a tensor cannot be named '{name}': its place is that of scales"));
            }
            stored.insert(name, Stored::Scales(scales));
        } else if storage == Storage::Halves && eight_bits::suits(tensor) {
            let beyond = |value: &&f32| !half::f16::from_f32(**value).is_finite();
            if let Some(value) = data.iter().find(beyond) {
                return Err(format!("tensor '{name}' holds {value}, which F16 cannot"));
            }
            stored.insert(name.clone(), Stored::Halves(tensor));
        } else {
            stored.insert(name.clone(), Stored::Floats(tensor));
        }
    }
    Ok(stored)
}

/// The JSON header, padded to whole words. `safetensors::serialize` would write the metadata in random order.
fn header(stored: &BTreeMap<String, Stored>, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    let mut infos = Vec::with_capacity(stored.len());
    let mut start = 0;
    for (name, tensor) in stored {
        let end = start + tensor.bytes();
        let info = TensorInfo { dtype: tensor.dtype(), shape: tensor.shape(), data_offsets: (start, end) };
        infos.push((name.clone(), info));
        start = end;
    }
    let checked = Metadata::new(None, infos).map_err(|error| error.to_string())?;
    let mut json = serde_json::to_value(&checked).map_err(|error| error.to_string())?;
    if !metadata.is_empty() {
        json[METADATA] = serde_json::json!(metadata);
    }
    let mut text = json.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(PREFIX as usize), b' ');
    Ok(text)
}

fn write_content(file: &mut Outgoing, header: &[u8], stored: &BTreeMap<String, Stored>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, &mut *file);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header)?;
    stored.values().try_for_each(|tensor| tensor.write(&mut out))?;
    out.flush()?;
    drop(out);
    file.sync()
}

/// A temporary file in the folder of `path`, which must be free or a regular file.
fn temporary_beside(path: &Path) -> Result<Outgoing, TensorFileError> {
    let fail = |cause: String| TensorFileError::Write { path: path.into(), cause };
    if path.exists() {
        // A rename would replace a device such as /dev/null by a file.
        regular_file(path)?;
    }
    let folder = outgoing::folder_of(path);
    if !folder.is_dir() {
        return Err(fail(format!("the folder {} does not exist", folder.display())));
    }
    // The error's own text would name the temporary file.
    Outgoing::new(path).map_err(|error| fail(error.kind().to_string()))
}
