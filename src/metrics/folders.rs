//! Two folders of PNG files, paired by name, or files of unrounded pictures, in their order.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Comparison, MetricsError, check, compare, flat_grey_floor, identification::rank, lpips::distance,
    read_tensor_pictures,
};
use crate::data::{Picture, natural, read_png_folder};

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
    /// How networks see them.
    #[serde(flatten)]
    pub seen: Seen,
}

/// How networks see every pair, and whether the reference would be recognised among all references; absent where no network
/// was given.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// Of each reconstruction with the reference at its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lpips: Option<Vec<f64>>,
    /// The same of a flat grey picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lpips_flat_grey: Option<Vec<f64>>,
    /// Mean squared difference of a victim's features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmse: Option<Vec<f64>>,
    /// The same of a flat grey picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmse_flat_grey: Option<Vec<f64>>,
    /// By any of these networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identification_rank: Option<PlaceAmongAll>,
}

/// Place of each reconstruction's reference among all of them by its distance, 1 being the nearest.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceAmongAll {
    /// How many there are.
    pub pool: usize,
    /// By LPIPS.
    pub lpips: Option<Vec<usize>>,
    /// By the victim's features.
    pub features: Option<Vec<usize>>,
}

/// What a network makes of pictures: a vector each.
pub type Embed<'e> = dyn Fn(&[Picture]) -> Result<Vec<Vec<f32>>, MetricsError> + 'e;

/// Networks that look at pictures, where there are any.
#[derive(Default)]
pub struct Networks<'e> {
    /// As [`Lpips::embed`](super::lpips::Lpips::embed).
    pub lpips: Option<Box<Embed<'e>>>,
    /// A victim's features.
    pub features: Option<Box<Embed<'e>>>,
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
    compare_folders_with(reference, reconstruction, &Networks::default())
}

/// The same, as these networks see them, too.
pub fn compare_folders_with(
    reference: &Path,
    reconstruction: &Path,
    networks: &Networks,
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
    let seen = seen(networks, &references, &reconstructions)?;
    Ok(FolderComparison {
        pairs,
        seen,
        comparison: compare(&references, &reconstructions)?,
        flat_grey: flat_grey_floor(&references)?,
    })
}

fn seen(
    networks: &Networks,
    references: &[Picture],
    reconstructions: &[Picture],
) -> Result<Seen, MetricsError> {
    let [c, h, w] = references[0].shape();
    let grey = [Picture::flat(c, h, w, 0.5)?];
    let look = |embed: &Embed| -> Result<Looked, MetricsError> {
        let (pool, found, grey) = (embed(references)?, embed(reconstructions)?, embed(&grey)?);
        Ok(Looked {
            distances: pool.iter().zip(&found).map(|(a, b)| distance(a, b)).collect(),
            of_grey: pool.iter().map(|a| distance(a, &grey[0])).collect(),
            ranks: found.iter().enumerate().map(|(i, f)| rank(f, &pool, i)).collect(),
            width: pool[0].len(),
        })
    };
    let lpips = networks.lpips.as_deref().map(look).transpose()?;
    let features = networks.features.as_deref().map(look).transpose()?;
    let means = |sums: &[f64], width: usize| sums.iter().map(|sum| sum / width as f64).collect();
    Ok(Seen {
        identification_rank: (lpips.is_some() || features.is_some()).then(|| PlaceAmongAll {
            pool: references.len(),
            lpips: lpips.as_ref().map(|l| l.ranks.clone()),
            features: features.as_ref().map(|f| f.ranks.clone()),
        }),
        lpips: lpips.as_ref().map(|l| l.distances.clone()),
        lpips_flat_grey: lpips.map(|l| l.of_grey),
        fmse: features.as_ref().map(|f| means(&f.distances, f.width)),
        fmse_flat_grey: features.map(|f| means(&f.of_grey, f.width)),
    })
}

/// Squared distances, and ranks.
struct Looked {
    distances: Vec<f64>,
    of_grey: Vec<f64>,
    ranks: Vec<usize>,
    /// Of a vector.
    width: usize,
}

/// Of a folder or file, in no order.
pub fn read_pictures(path: &Path) -> Result<Vec<Picture>, MetricsError> {
    Ok(read(path)?.into_iter().map(|(_, picture)| picture).collect())
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
