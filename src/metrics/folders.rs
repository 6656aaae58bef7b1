//! Two folders of PNG files, paired by sorted name, or files of unrounded pictures, in their order.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Comparison, MetricsError, check, compare, flat_grey_floor, read_tensor_pictures};
use crate::data::{Picture, read_png_folder};

/// What [`compare_folders`] found.
#[derive(Clone, Debug, Serialize)]
pub struct FolderComparison {
    /// Picture `i` of both folders; every index in the comparisons counts along this list.
    pub pairs: Vec<Pair>,
    #[serde(flatten)]
    pub comparison: Comparison,
    /// A flat grey picture in place of every reconstruction.
    pub flat_grey: Comparison,
}

/// The files at one index.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    pub reference: PathBuf,
    pub reconstruction: PathBuf,
}

/// Compares two folders that hold as many PNG files of one size and nothing else; either may be a file of unrounded
/// pictures instead, see [`read_tensor_pictures`].
pub fn compare_folders(reference: &Path, reconstruction: &Path) -> Result<FolderComparison, MetricsError> {
    let (references, reconstructions) = (read(reference)?, read(reconstruction)?);
    if references.len() != reconstructions.len() {
        return Err(MetricsError::Picture {
            which: reconstruction.display().to_string(),
            expected: format!("{} pictures, as in {}", references.len(), reference.display()),
            found: reconstructions.len().to_string(),
        });
    }
    // Checked here too because here the files have names.
    let shape = references[0].1.shape();
    for (path, picture) in references.iter().chain(&reconstructions) {
        check(picture, shape, || path.display().to_string())?;
    }
    let pairs = references.iter().zip(&reconstructions);
    let pairs = pairs.map(|(a, b)| Pair { reference: a.0.clone(), reconstruction: b.0.clone() }).collect();
    let pictures = |files: Vec<(PathBuf, Picture)>| files.into_iter().map(|(_, picture)| picture).collect();
    let (references, reconstructions): (Vec<_>, Vec<_>) = (pictures(references), pictures(reconstructions));
    Ok(FolderComparison {
        pairs,
        comparison: compare(&references, &reconstructions)?,
        flat_grey: flat_grey_floor(&references)?,
    })
}

fn read(path: &Path) -> Result<Vec<(PathBuf, Picture)>, MetricsError> {
    if path.is_file() { read_tensor_pictures(path) } else { Ok(read_png_folder(path)?) }
}
