//! Files by their paths.

use std::path::Path;

/// Whether two paths lead to one file, which need not exist yet.
pub fn same_file(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| {
        path.canonicalize().unwrap_or_else(|_| {
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let name = path.file_name().unwrap_or_default();
            folder.map_or_else(|| path.to_owned(), |folder| folder.join(name))
        })
    };
    resolved(a) == resolved(b)
}
