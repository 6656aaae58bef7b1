//! Files appear whole or not at all: written under a temporary name in the target's folder, then
//! renamed. An interrupted run leaves the previous file in place.

use std::path::Path;

use serde::Serialize;

use super::DataError;
use crate::files::outgoing;

/// Writes `bytes` to `path`, replacing what was there. The folder must exist.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    outgoing::write(path, bytes).map_err(|cause| DataError::unwritable(path, cause))
}

/// Writes `value` to `path` as indented JSON with a final newline.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DataError> {
    let mut json =
        serde_json::to_vec_pretty(value).map_err(|cause| DataError::unwritable(path, cause.into()))?;
    json.push(b'\n');
    write_bytes(path, &json)
}
