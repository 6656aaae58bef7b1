//! Reading: every size is checked against the file's own length before anything is allocated.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use super::{Naming, NonFloat, Tensor, TensorFile, TensorFileError, eight_bits, npz};
use crate::files::incoming;

/// Bytes of the little-endian header length that a file starts with.
pub(super) const PREFIX: u64 = 8;

/// Where the header keeps its metadata, among the tensors' names.
pub(super) const METADATA: &str = "__metadata__";
/// The format's own limit on its JSON header.
const HEADER_LIMIT: u64 = 100_000_000;

impl TensorFile {
    /// Reads a whole safetensors or `.npz` file, whatever its extension says; floats of any supported width
    /// become f32.
    pub fn read(path: &Path) -> Result<TensorFile, TensorFileError> {
        regular_file(path)?;
        let io = |cause| TensorFileError::Read { path: path.into(), cause };
        let (mut file, length) = incoming::open(path).map_err(io)?;
        if length == 0 {
            return Err(TensorFileError::Empty { path: path.into() });
        }
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(MAGIC_LEN).read_to_end(&mut magic).map_err(io)?;
        if npz::is_zip(&magic) && !magic.windows(npz::PICKLE.len()).any(|part| part == npz::PICKLE) {
            return npz::read(path, file, length);
        }
        Self::safetensors(path, file, &magic, length)
    }

    /// A safetensors file in memory. `path`: what messages call it.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<TensorFile, TensorFileError> {
        let magic = &bytes[..bytes.len().min(MAGIC_LEN as usize)];
        let mut rest = Cursor::new(bytes);
        rest.set_position(magic.len() as u64);
        Self::safetensors(path, rest, magic, bytes.len() as u64)
    }

    /// `start`: the file's first bytes, which were read; `length`: its length.
    fn safetensors(
        path: &Path,
        mut file: impl Read + Seek,
        start: &[u8],
        length: u64,
    ) -> Result<TensorFile, TensorFileError> {
        let io = |cause| TensorFileError::Read { path: path.into(), cause };
        let (start, header) = read_header(path, &mut file, start, length)?;
        let mut tensors = BTreeMap::new();
        let mut eight_bit = BTreeMap::new();
        let mut non_float = BTreeMap::new();
        for (name, info) in header.tensors() {
            let decode = decoder(info.dtype);
            if decode.is_none() && info.dtype != Dtype::I8 {
                let aside = NonFloat { dtype: info.dtype.to_string(), shape: info.shape.clone() };
                non_float.insert(name, aside);
                continue;
            }
            let (from, to) = info.data_offsets;
            let mut bytes = vec![0; to - from];
            file.seek(SeekFrom::Start(start + from as u64)).map_err(io)?;
            file.read_exact(&mut bytes).map_err(io)?;
            match decode {
                Some(decode) => {
                    tensors.insert(name, Tensor { shape: info.shape.clone(), data: decode(&bytes) });
                }
                None => {
                    eight_bit.insert(name, (info.shape.clone(), bytes));
                }
            }
        }
        eight_bits::join(path, &mut tensors, eight_bit, &mut non_float)?;
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(TensorFile { path: path.into(), tensors, non_float, metadata, naming: Naming::Named })
    }
}

/// An error if something that is not a regular file is at `path`: opening a pipe would block, and a device
/// may never end.
pub(super) fn regular_file(path: &Path) -> Result<(), TensorFileError> {
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(cause) => return Err(TensorFileError::Read { path: path.into(), cause }),
    };
    if kind.is_file() {
        return Ok(());
    }
    let found = if kind.is_dir() { "a directory" } else { "a pipe, socket or device" };
    Err(TensorFileError::NotAFile { path: path.into(), found })
}

/// The checked header and the position of the first tensor's bytes. `start` is the file's first bytes,
/// `length` its length.
fn read_header(
    path: &Path,
    file: &mut (impl Read + Seek),
    start: &[u8],
    length: u64,
) -> Result<(u64, Metadata), TensorFileError> {
    let io = |cause| TensorFileError::Read { path: path.into(), cause };
    let Some(prefix) = start.first_chunk() else {
        return Err(TensorFileError::Length { path: path.into(), expected: PREFIX, found: length });
    };
    let header_length = u64::from_le_bytes(*prefix);
    let limit = HEADER_LIMIT.min(length - PREFIX);
    if header_length > limit {
        // A length that safetensors allows is a cut file's, whatever its bytes look like.
        let foreign = if header_length > HEADER_LIMIT { foreign_format(path, start) } else { None };
        let error = TensorFileError::HeaderLength { path: path.into(), length: header_length, limit };
        return Err(foreign.unwrap_or(error));
    }

    let mut text = vec![0; header_length as usize];
    file.seek(SeekFrom::Start(PREFIX)).map_err(io)?;
    file.read_exact(&mut text).map_err(io)?;
    // Deserialising also checks that the tensors' offsets are in order, without gaps, and fit their shapes.
    let header: Metadata = serde_json::from_slice(&text).map_err(|cause| {
        let path = path.into();
        if cause.is_data() {
            TensorFileError::Header { path, cause }
        } else {
            TensorFileError::HeaderNotJson { path, cause }
        }
    })?;
    unique(&text).map_err(|cause| TensorFileError::Header { path: path.into(), cause })?;
    let data = PREFIX + header_length;
    let expected = data.saturating_add(header.data_len() as u64);
    if expected != length {
        return Err(TensorFileError::Length { path: path.into(), expected, found: length });
    }
    Ok((data, header))
}

/// Refuses names that a header gives twice: of two tensors, readers would take one or the other.
fn unique(header: &[u8]) -> serde_json::Result<()> {
    serde_json::from_slice::<Names<true>>(header).map(drop)
}

/// The names of a map, each once; of the whole header (`OUTER`) or of its metadata.
struct Names<const OUTER: bool>;

impl<'de, const OUTER: bool> Deserialize<'de> for Names<OUTER> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Names)
    }
}

impl<'de, const OUTER: bool> Visitor<'de> for Names<OUTER> {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a map of names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if OUTER && name == METADATA {
                let _: Option<Names<false>> = map.next_value()?;
            } else {
                let _: IgnoredAny = map.next_value()?;
            }
            if let Some(name) = names.replace(name) {
                return Err(A::Error::custom(format!("'{name}' is there twice")));
            }
        }
        Ok(self)
    }
}

/// Enough to see the first name in a zip archive.
const MAGIC_LEN: u64 = 64;

const FROM_PYTORCH: &str = "; convert it in Python: import torch, safetensors.torch; \
    safetensors.torch.save_file(torch.load('FILE', weights_only=True), 'FILE.safetensors')";

const FROM_NUMPY: &str = "; save all arrays in one file with np.savez(FILE, *arrays) or \
    np.savez(FILE, **state_dict)";

/// What a file that does not start like safetensors is instead, where its first bytes say so.
fn foreign_format(path: &Path, start: &[u8]) -> Option<TensorFileError> {
    if npz::is_zip(start) {
        return Some(TensorFileError::saved_by_torch(path));
    }
    let known: [(&[u8], &str, &str); 8] = [
        (b"\x80\x02", "a Python pickle, which is what old versions of torch.save write", FROM_PYTORCH),
        (b"\x80\x03", "a Python pickle", FROM_PYTORCH),
        (b"\x80\x04", "a Python pickle", FROM_PYTORCH),
        (b"\x80\x05", "a Python pickle", FROM_PYTORCH),
        (b"\x89HDF", "HDF5, which is what Keras writes", ""),
        (b"\x93NUMPY", "one NumPy array, which is what np.save writes", FROM_NUMPY),
        (b"version https:/", "a Git LFS pointer", "; fetch the file itself with git lfs pull"),
        (b"<", "a web page", "; the download may have failed"),
    ];
    let (_, looks_like, advice) = known.into_iter().find(|(magic, ..)| start.starts_with(magic))?;
    Some(TensorFileError::NotTensors { path: path.into(), looks_like, advice })
}

impl TensorFileError {
    pub(super) fn saved_by_torch(path: &Path) -> TensorFileError {
        let looks_like = "a zip archive as torch.save writes it (.pt, .pth)";
        TensorFileError::NotTensors { path: path.into(), looks_like, advice: FROM_PYTORCH }
    }
}

/// Little-endian bytes of one type to f32.
pub(super) type Decode = fn(&[u8]) -> Vec<f32>;

/// `None` for types that are not floats, and for floats of 8 bits and fewer.
pub(super) fn decoder(dtype: Dtype) -> Option<Decode> {
    fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
    }
    match dtype {
        Dtype::F32 => Some(|bytes| each(bytes, f32::from_le_bytes)),
        Dtype::F64 => Some(|bytes| each(bytes, |b| f64::from_le_bytes(b) as f32)),
        Dtype::F16 => Some(|bytes| each(bytes, |b| f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => Some(|bytes| each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
        _ => None,
    }
}
