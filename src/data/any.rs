//! Pictures from wherever they lie: a file, a folder of files, or a data set in a public format.

use std::path::Path;

use super::{DataError, Dataset, Picture, folder};

const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The picture of a file, those of a flat folder, or all of a data set (see [`Dataset::open`]), each with what to call it.
///
/// # Errors
/// Nothing there, or nothing that can be read as pictures.
pub fn read_any_pictures(path: &Path) -> Result<Vec<(String, Picture)>, DataError> {
    let file = |path: &Path| Ok((path.display().to_string(), Picture::read(path)?));
    if path.is_file() && folder::has_extension(path, &EXTENSIONS) {
        return Ok(vec![file(path)?]);
    }
    if path.is_dir() {
        let entries = folder::entries(path)?;
        let pictures: Vec<_> = entries
            .iter()
            .filter(|entry| entry.is_file() && folder::has_extension(entry, &EXTENSIONS))
            .collect();
        if !pictures.is_empty() {
            return pictures.into_iter().map(|path| file(path)).collect();
        }
    }
    let dataset = Dataset::open(path)?;
    (0..dataset.len()).map(|i| Ok((format!("{}[{i}]", path.display()), dataset.picture(i)?))).collect()
}
