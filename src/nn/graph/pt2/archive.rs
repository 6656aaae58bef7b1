//! The zip archive that `torch.export.save` writes: without compression, so that no member is larger than the file, and
//! nothing of it is ever written to a disk.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use rawzip::{
    CompressionMethod, FileReader, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ZipArchive, ZipArchiveEntryWayfinder,
};

use crate::nn::graph::GraphError;

/// Most members: a network of a thousand layers has a few thousand.
const MOST_MEMBERS: u64 = 100_000;

pub(crate) struct Archive {
    path: PathBuf,
    zip: ZipArchive<FileReader>,
    /// By name without the archive's own folder.
    members: BTreeMap<String, ZipArchiveEntryWayfinder>,
    /// Bytes that may still be read: tensors that share a storage read it once each, within reason.
    left: Cell<u64>,
}

impl Archive {
    /// `length` is the file's.
    pub(crate) fn open(path: &Path, length: u64) -> Result<Archive, GraphError> {
        let refused = |reason: String| GraphError::file(path, &reason);
        let damaged = |error: rawzip::Error| refused(format!("a damaged zip archive: {error}"));
        let file = File::open(path).map_err(|cause| GraphError::Read { path: path.into(), cause })?;
        let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let zip = ZipArchive::from_file(file, &mut buffer).map_err(damaged)?;
        if zip.entries_hint() > MOST_MEMBERS {
            return Err(refused(format!("{} members, expected at most {MOST_MEMBERS}", zip.entries_hint())));
        }
        let (mut members, mut total, mut count) = (BTreeMap::new(), 0u64, 0u64);
        let mut entries = zip.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(damaged)? {
            count += 1;
            let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
            if name.starts_with('/') || name.split(['/', '\\']).any(|part| part == "..") {
                return Err(refused(format!("member '{name}' points outside the archive")));
            }
            let stored = entry.compression_method() == CompressionMethod::STORE
                && entry.compressed_size_hint() == entry.uncompressed_size_hint()
                && !entry.flags().is_encrypted();
            if !stored {
                return Err(refused(format!(
                    "member '{name}' is compressed or encrypted, which torch.export.save never does"
                )));
            }
            total = total.saturating_add(entry.compressed_size_hint());
            // Members that share their bytes are how a small archive becomes a large one.
            if total > length || count > MOST_MEMBERS {
                return Err(refused(format!("its {count} members have more bytes than the file's {length}")));
            }
            let inside = name.split_once('/').map_or(&name[..], |(_, inside)| inside);
            if members.insert(inside.to_string(), entry.wayfinder()).is_some() {
                return Err(refused(format!("two members are called '{name}'")));
            }
        }
        let left = Cell::new(length.saturating_mul(8));
        Ok(Archive { path: path.into(), zip, members, left })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The bytes of a member of at most `limit`, its CRC checked.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, GraphError> {
        let refused = |reason: String| GraphError::file(&self.path, &format!("member '{name}': {reason}"));
        let place = self.members.get(name).ok_or_else(|| refused("is missing".into()))?;
        let size = place.uncompressed_size_hint();
        if size > limit {
            return Err(refused(format!("{size} bytes, expected at most {limit}")));
        }
        match self.left.get().checked_sub(size) {
            Some(left) => self.left.set(left),
            None => return Err(refused("too many tensors share its bytes".into())),
        }
        let entry = self.zip.get_entry(*place).map_err(|error| refused(error.to_string()))?;
        let mut bytes = Vec::with_capacity(size as usize);
        let mut reader = entry.verifying_reader(entry.reader()).take(limit.saturating_add(1));
        reader.read_to_end(&mut bytes).map_err(|error| refused(error.to_string()))?;
        Ok(bytes)
    }
}
