//! Files appear whole or not at all: written under a temporary name in the target's folder, then
//! renamed. An interrupted run leaves the previous file in place.

use std::{io::Write, path::Path};

use serde::Serialize;
use tempfile::Builder;

use super::DataError;

/// Writes `bytes` to `path`, replacing what was there. The folder must exist.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    // The parent of a bare file name is the empty path.
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = Builder::new();
    builder.prefix(".partial-");
    // Temporary files are private by default; a report is not. The umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
        .tempfile_in(folder)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.persist(path).map_err(|failed| failed.error)
        })
        .map(drop)
        .map_err(|cause| DataError::unwritable(path, cause))
}

/// Writes `value` to `path` as indented JSON with a final newline.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DataError> {
    let mut json =
        serde_json::to_vec_pretty(value).map_err(|cause| DataError::unwritable(path, cause.into()))?;
    json.push(b'\n');
    write_bytes(path, &json)
}
