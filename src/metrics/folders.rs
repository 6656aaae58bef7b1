//! Two folders of PNG files, paired by name, or files of unrounded pictures, in their order.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Comparison, MetricsError, check, compare, flat_grey_floor,
    identification::rank,
    lpips::{Lpips, distance},
    read_tensor_pictures,
};
use crate::{
    data::{Picture, natural, read_png_folder},
    device::Device,
};

/// What [`compare_folders`] found.
#[derive(Clone, Debug, Serialize)]
pub struct FolderComparison {
    /// Picture `i` of both folders; every index in the comparisons counts along this list.
    pub pairs: Vec<Pair>,
    /// Three figures under three pairings.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// A flat grey picture in place of every reconstruction.
    pub flat_grey: Comparison,
    /// How AlexNet sees them; absent where its weights were not given.
    #[serde(flatten)]
    pub seen: Option<Seen>,
}

/// LPIPS of every pair, and whether the reference would be recognised among all references.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Of each reconstruction with the reference at its index.
    pub lpips: Vec<f64>,
    /// The same of a flat grey picture.
    pub lpips_flat_grey: Vec<f64>,
    /// Place of that reference among all of them by LPIPS, 1 being the nearest.
    pub identification_rank: Vec<usize>,
}

/// The files at one index.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The original's file.
    pub reference: PathBuf,
    /// The file that is compared with it.
    pub reconstruction: PathBuf,
}

/// Compares two folders that hold as many PNG files of one size and nothing else: those of equal stems are pairs, else
/// both are taken in natural order (`2.png` before `10.png`), leading zeros or not. Either may be a file of unrounded
/// pictures instead, see [`read_tensor_pictures`], whose order pairs.
pub fn compare_folders(reference: &Path, reconstruction: &Path) -> Result<FolderComparison, MetricsError> {
    compare_folders_with(reference, reconstruction, None)
}

/// The same, by LPIPS on this device, too.
pub fn compare_folders_with(
    reference: &Path,
    reconstruction: &Path,
    lpips: Option<(&Lpips, &dyn Device)>,
) -> Result<FolderComparison, MetricsError> {
    let (mut references, mut reconstructions) = (read(reference)?, read(reconstruction)?);
    if references.len() != reconstructions.len() {
        return Err(MetricsError::Picture {
            which: reconstruction.display().to_string(),
            expected: format!("{} pictures, as in {}", references.len(), reference.display()),
            found: reconstructions.len().to_string(),
        });
    }
    let by_name = reference.is_dir() && reconstruction.is_dir();
    in_order(&mut references);
    in_order(&mut reconstructions);
    if let Some(found) = by_name.then(|| unpaired(&references, &reconstructions)).flatten() {
        return Err(MetricsError::Picture {
            which: reconstruction.display().to_string(),
            expected: format!("the names in {}, or names that count along with them", reference.display()),
            found,
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
    let seen = match lpips {
        Some((lpips, device)) => Some(seen(lpips, device, &references, &reconstructions)?),
        None => None,
    };
    Ok(FolderComparison {
        pairs,
        seen,
        comparison: compare(&references, &reconstructions)?,
        flat_grey: flat_grey_floor(&references)?,
    })
}

fn seen(
    lpips: &Lpips,
    device: &dyn Device,
    references: &[Picture],
    reconstructions: &[Picture],
) -> Result<Seen, MetricsError> {
    let pool = lpips.embed(device, references)?;
    let found = lpips.embed(device, reconstructions)?;
    let [c, h, w] = references[0].shape();
    let grey = lpips.embed(device, &[Picture::flat(c, h, w, 0.5)?])?;
    Ok(Seen {
        lpips: pool.iter().zip(&found).map(|(a, b)| distance(a, b)).collect(),
        lpips_flat_grey: pool.iter().map(|a| distance(a, &grey[0])).collect(),
        identification_rank: found.iter().enumerate().map(|(i, f)| rank(f, &pool, i)).collect(),
    })
}

fn read(path: &Path) -> Result<Vec<(PathBuf, Picture)>, MetricsError> {
    if path.is_file() { read_tensor_pictures(path) } else { Ok(read_png_folder(path)?) }
}

type File = (PathBuf, Picture);

fn in_order(files: &mut [File]) {
    files.sort_by(|a, b| natural(&stem(&a.0)).cmp(&natural(&stem(&b.0))).then_with(|| a.0.cmp(&b.0)));
}

/// Names of which some are equal and others not: whatever the order, pairs would be wrong.
fn unpaired(references: &[File], reconstructions: &[File]) -> Option<String> {
    let stems = |files: &[File]| files.iter().map(|(path, _)| stem(path)).collect::<Vec<String>>();
    let (own, other) = (stems(references), stems(reconstructions));
    let equal = own.iter().filter(|name| other.contains(name)).count();
    let counted = own.iter().zip(&other).all(|(a, b)| natural(a) == natural(b));
    if equal == own.len() || counted || equal == 0 {
        return None;
    }
    let lonely = other.iter().find(|name| !own.contains(name)).cloned().unwrap_or_default();
    Some(format!("{equal} of {} names, and '{lonely}', which is none of them", own.len()))
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
