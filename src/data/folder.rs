//! What a folder holds, in an order that does not depend on the file system.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::DataError;

/// The entries of `folder`, sorted by name byte by byte, hidden ones (`.DS_Store`) left out.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |cause| DataError::unreadable(folder, cause);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if !name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// The last component of `path` as text, empty where there is none.
pub(super) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// True if the file name ends in one of `extensions` (lower case, no dot), in any case of letters.
pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|wanted| found.eq_ignore_ascii_case(wanted)))
}
