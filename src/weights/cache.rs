//! Where downloaded weights are kept: the platform's cache folder, a folder for each name.

use std::{fs, path::PathBuf};

use super::{Known, WeightsError, known::WEIGHTS};

/// Weights on this machine.
#[derive(Clone, Debug)]
pub struct Cached {
    /// Where they are.
    pub folder: PathBuf,
    /// Bytes of all files.
    pub size: u64,
}

/// The folder of these weights, whether or not it is there.
///
/// # Errors
/// On a system that names no cache folder.
pub fn cache_folder(entry: &Known) -> Result<PathBuf, WeightsError> {
    let cache = dirs::cache_dir().ok_or(WeightsError::NoCache)?;
    Ok(cache.join("gia-gpu").join("weights").join(entry.name))
}

/// The weights, if they are there as a whole.
pub fn cached(entry: &Known) -> Result<Option<Cached>, WeightsError> {
    let folder = cache_folder(entry)?;
    if !folder.join(WEIGHTS).is_file() {
        return Ok(None);
    }
    let failed = |cause| WeightsError::File { path: folder.clone(), cause };
    let mut size = 0;
    for file in fs::read_dir(&folder).map_err(failed)? {
        size += file.and_then(|file| file.metadata()).map_err(failed)?.len();
    }
    Ok(Some(Cached { folder, size }))
}
