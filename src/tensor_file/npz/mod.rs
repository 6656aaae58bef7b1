//! `.npz`: a zip archive of NumPy arrays, as `np.savez` writes it.
//!
//! An archive can claim anything about its sizes. Every claim is checked against the file's length and
//! against the arrays' own headers, and their sum against the free memory, before the first is decoded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, FileReader, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ZipArchive, ZipArchiveEntryWayfinder,
    ZipFileHeaderRecord,
};

use super::read::decoder;
use super::{Naming, NonFloat, Tensor, TensorFile, TensorFileError};
use crate::device::host;
use header::Header;

mod data;
mod error;
mod header;

pub use error::MemberError;

/// What deflate can make of one byte at most.
const RATIO: u64 = 1032;

/// Where PyTorch's archives start to look different.
pub(super) const PICKLE: &[u8] = b"data.pkl";

type Archive = ZipArchive<FileReader>;

/// An array in the archive.
struct Member {
    /// Without `.npy`.
    name: String,
    deflated: bool,
    place: ZipArchiveEntryWayfinder,
}

/// Whether a file that starts with these bytes is a zip archive, an empty one included.
pub(super) fn is_zip(start: &[u8]) -> bool {
    [b"PK\x03\x04", b"PK\x05\x06"].iter().any(|magic| start.starts_with(*magic))
}

/// `length` is the file's.
pub(super) fn read(path: &Path, file: File, length: u64) -> Result<TensorFile, TensorFileError> {
    let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let damaged = |error| archive_error(path, error);
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(damaged)?;
    let members = members(path, &archive, &mut buffer, length)?;
    let naming = Naming::of(path, members.iter().map(|member| member.name.as_str()))?;

    let mut headers = Vec::with_capacity(members.len());
    for member in &members {
        headers.push(header(&archive, member).map_err(|error| member.error(path, error))?);
    }
    let floats = headers.iter().filter(|header| decoder(header.dtype).is_some());
    let needed = floats.fold(0u64, |sum, header| {
        sum.saturating_add((header.elements as u64).saturating_mul(size_of::<f32>() as u64))
    });
    host::check(|| "reading its arrays".into(), needed)
        .map_err(|cause| TensorFileError::Memory { path: path.into(), cause })?;

    let (mut tensors, mut non_float) = (BTreeMap::new(), BTreeMap::new());
    for (member, header) in members.into_iter().zip(headers) {
        let data = content_of(&archive, &member, &header).map_err(|error| member.error(path, error))?;
        match data {
            Some(data) => drop(tensors.insert(member.name, Tensor { shape: header.shape, data })),
            None => {
                let aside = NonFloat { dtype: header.dtype.to_string(), shape: header.shape };
                non_float.insert(member.name, aside);
            }
        }
    }
    Ok(TensorFile { path: path.into(), tensors, non_float, metadata: BTreeMap::new(), naming })
}

/// The arrays in the archive's directory, each of a kind that can be read.
fn members(
    path: &Path,
    archive: &Archive,
    buffer: &mut [u8],
    length: u64,
) -> Result<Vec<Member>, TensorFileError> {
    let mut members = Vec::new();
    let mut others = Vec::new();
    let mut names = BTreeSet::new();
    let (mut found, mut compressed) = (0, 0u64);
    let mut entries = archive.entries(buffer);
    while let Some(entry) = entries.next_entry().map_err(|error| archive_error(path, error))? {
        found += 1;
        compressed = compressed.saturating_add(entry.compressed_size_hint());
        let raw = entry.file_path().as_bytes();
        if raw.ends_with(PICKLE) {
            return Err(TensorFileError::saved_by_torch(path));
        }
        let file_name = String::from_utf8_lossy(raw).into_owned();
        match std::str::from_utf8(raw).ok().and_then(|name| name.strip_suffix(".npy")) {
            None => others.push(file_name),
            Some(name) => {
                let member = member(name, &entry).and_then(|member| match names.insert(name.to_string()) {
                    true => Ok(member),
                    false => Err(MemberError::Duplicate),
                });
                members.push(member.map_err(|error| member_error(path, &file_name, error))?);
            }
        }
    }
    let damaged = |cause| TensorFileError::Archive { path: path.into(), cause };
    if found != archive.entries_hint() {
        let expected = archive.entries_hint();
        return Err(damaged(format!("its directory has {found} members, its end says {expected}")));
    }
    // Members that share their bytes are how a small archive becomes a large one.
    if compressed > length {
        return Err(damaged(format!("its members have {compressed} bytes, the file {length}")));
    }
    match others.first() {
        Some(_) if members.is_empty() => Err(TensorFileError::NotTensors {
            path: path.into(),
            looks_like: "a zip archive of other things than NumPy arrays",
            advice: "",
        }),
        Some(name) => Err(member_error(path, name, MemberError::NotNpy)),
        None if members.is_empty() => Err(TensorFileError::NoArrays { path: path.into() }),
        None => Ok(members),
    }
}

fn member(name: &str, entry: &ZipFileHeaderRecord) -> Result<Member, MemberError> {
    if entry.flags().is_encrypted() {
        return Err(MemberError::Encrypted);
    }
    let (compressed, claimed) = (entry.compressed_size_hint(), entry.uncompressed_size_hint());
    let deflated = match entry.compression_method() {
        CompressionMethod::STORE if compressed == claimed => false,
        CompressionMethod::STORE => {
            return Err(MemberError::Size { expected: claimed, found: compressed });
        }
        CompressionMethod::DEFLATE if claimed / RATIO <= compressed => true,
        CompressionMethod::DEFLATE => return Err(MemberError::Ratio { compressed, claimed }),
        other => return Err(MemberError::Compression { found: other.as_u16() }),
    };
    Ok(Member { name: name.into(), deflated, place: entry.wayfinder() })
}

impl Member {
    /// The decompressed bytes; reading past the last checks their number and their CRC.
    fn open<'a>(&self, archive: &'a Archive) -> Result<impl Read + use<'a>, MemberError> {
        let entry = archive
            .get_entry(self.place)
            .map_err(|error| MemberError::Content { cause: error.to_string() })?;
        let bytes: Box<dyn Read + 'a> = match self.deflated {
            true => Box::new(DeflateDecoder::new(entry.reader())),
            false => Box::new(entry.reader()),
        };
        Ok(entry.verifying_reader(bytes))
    }

    fn error(&self, path: &Path, error: MemberError) -> TensorFileError {
        member_error(path, &format!("{}.npy", self.name), error)
    }
}

fn header(archive: &Archive, member: &Member) -> Result<Header, MemberError> {
    let header = Header::read(&mut member.open(archive)?)?;
    let found = member.place.uncompressed_size_hint();
    match header.total == found {
        true => Ok(header),
        false => Err(MemberError::Size { expected: header.total, found }),
    }
}

/// The elements, or `None` where they are not floats. Either way every byte is read, and its CRC checked.
fn content_of(archive: &Archive, member: &Member, header: &Header) -> Result<Option<Vec<f32>>, MemberError> {
    let mut bytes = member.open(archive)?;
    Header::read(&mut bytes)?;
    let data = decoder(header.dtype).map(|decode| data::read(&mut bytes, header, decode)).transpose()?;
    io::copy(&mut bytes, &mut io::sink()).map_err(|cause| content(&cause))?;
    Ok(data)
}

fn content(cause: &io::Error) -> MemberError {
    use rawzip::ErrorKind::{InvalidChecksum, InvalidSize};
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rawzip::Error>());
    let cause = match (cause.kind(), inner.map(rawzip::Error::kind)) {
        (_, Some(InvalidChecksum { expected, actual })) => {
            format!("its CRC is {actual:08x}, the archive says {expected:08x}")
        }
        (_, Some(InvalidSize { expected, actual })) => {
            format!("it has {actual} bytes or more, the archive says {expected}")
        }
        (io::ErrorKind::UnexpectedEof, _) => "it ends too early".into(),
        _ => cause.to_string(),
    };
    MemberError::Content { cause }
}

fn member_error(path: &Path, name: &str, error: MemberError) -> TensorFileError {
    TensorFileError::Member { path: path.into(), name: name.into(), error }
}

fn archive_error(path: &Path, error: rawzip::Error) -> TensorFileError {
    use rawzip::ErrorKind::{Eof, IO, MissingEndOfCentralDirectory};
    let path = path.into();
    match error.into_kind() {
        IO(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => TensorFileError::Read { path, cause },
        MissingEndOfCentralDirectory | IO(_) | Eof => {
            TensorFileError::Archive { path, cause: "its directory is cut off: it is truncated".into() }
        }
        other => TensorFileError::Archive { path, cause: other.to_string() },
    }
}
