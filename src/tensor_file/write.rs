//! Writing: the same content gives the same bytes, and a file appears whole or not at all.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::read::{PREFIX, regular_file};
use super::{Tensor, TensorFile, TensorFileError};

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    F32,
    /// Rounded to half precision.
    F16,
}

impl Storage {
    fn dtype(self) -> Dtype {
        match self {
            Storage::F32 => Dtype::F32,
            Storage::F16 => Dtype::F16,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Storage::F32 => 4,
            Storage::F16 => 2,
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
        let header = header(tensors, metadata, storage).map_err(fail)?;
        let file = temporary_beside(path)?;
        let io = |error: io::Error| fail(error.kind().to_string());
        write_content(file.as_file(), &header, tensors, storage).map_err(io)?;
        file.persist(path).map_err(|error| io(error.error))?;
        Ok(())
    }

    /// Whether [`TensorFile::write`] could write to `path`, for asking before a long computation.
    pub fn check_writable(path: &Path) -> Result<(), TensorFileError> {
        temporary_beside(path).map(drop)
    }
}

/// The JSON header, padded to whole words. `safetensors::serialize` would write the metadata in random order.
fn header(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
    storage: Storage,
) -> Result<Vec<u8>, String> {
    const METADATA: &str = "__metadata__";
    let mut infos = Vec::with_capacity(tensors.len());
    let mut start = 0;
    for (name, Tensor { shape, data }) in tensors {
        if name == METADATA {
            return Err(format!("a tensor cannot be named '{METADATA}'"));
        }
        let elements = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if elements != Some(data.len()) {
            return Err(format!("tensor '{name}' has shape {shape:?} but {} elements", data.len()));
        }
        let end = start + data.len() * storage.bytes();
        let info = TensorInfo { dtype: storage.dtype(), shape: shape.clone(), data_offsets: (start, end) };
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

fn write_content(
    file: &std::fs::File,
    header: &[u8],
    tensors: &BTreeMap<String, Tensor>,
    storage: Storage,
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header)?;
    for value in tensors.values().flat_map(|tensor| &tensor.data) {
        match storage {
            Storage::F32 => out.write_all(&value.to_le_bytes())?,
            Storage::F16 => out.write_all(&half::f16::from_f32(*value).to_le_bytes())?,
        }
    }
    out.flush()?;
    file.sync_all()
}

/// A temporary file in the folder of `path`, which must be free or a regular file.
fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile, TensorFileError> {
    let fail = |cause: String| TensorFileError::Write { path: path.into(), cause };
    if path.exists() {
        // A rename would replace a device such as /dev/null by a file.
        regular_file(path)?;
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(fail(format!("the folder {} does not exist", folder.display())));
    }
    // The error's own text would name the temporary file.
    temporary_in(folder).map_err(|error| fail(error.kind().to_string()))
}

/// Deleted when dropped. Readable by whom the user's umask says; `tempfile`'s own default is the owner alone.
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    builder.tempfile_in(folder)
}
