//! Files of the disk cache: they appear whole or not at all, and losing one costs time only.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::files::outgoing;

/// The platform's folder for this program's caches; none where the user has no home.
pub fn default_folder() -> Option<PathBuf> {
    dirs::cache_dir().map(|caches| caches.join("gia-gpu"))
}

/// A name that a person recognises: what it holds, and for what.
pub(crate) fn file_name(what: &str, identity: &str, extension: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = identity.chars().map(plain).take(120).collect();
    format!("{what}-{name}.{extension}")
}

/// Writes under a temporary name in the target's folder, which is made, then renames.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    outgoing::make_folder(outgoing::folder_of(path))?;
    outgoing::write(path, bytes)
}
