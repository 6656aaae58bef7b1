//! A folder per class: sorted folder names are the labels 0, 1, …, as torchvision's `ImageFolder` has it; pictures may
//! lie in folders below (`class/images/*.JPEG`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{DataError, Dataset, dataset::Pictures, folder};

/// torchvision's `IMG_EXTENSIONS`.
pub(super) const EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp"];

/// What macOS's archives add beside the folders.
const FOREIGN: &str = "__MACOSX";

/// Deeper than any data set, and than a link that leads back to itself may go.
const DEEPEST: usize = 8;

/// What a class folder holds.
#[derive(Default)]
struct Class {
    pictures: Vec<PathBuf>,
    /// Pictures that lie in the folder itself, not below.
    direct: usize,
    /// Folders of its own that hold pictures.
    folders: usize,
}

/// `entries`: what the folder at `path` holds, sorted.
pub(super) fn open(path: &Path, entries: &[PathBuf]) -> Result<Dataset, DataError> {
    let (mut class_names, mut labels, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut left_out = BTreeMap::new();
    for folder in entries.iter().filter(|entry| entry.is_dir() && folder::name(entry) != FOREIGN) {
        let mut class = Class::default();
        walk(folder, 0, &mut class, &mut left_out)?;
        if class.direct == 0 && class.folders > 1 {
            let expected = "a class folder with pictures";
            let found = format!(
                "{} folders of pictures: if the class folders lie deeper, open the folder right above them",
                class.folders
            );
            return Err(DataError::malformed(folder, expected, found));
        }
        labels.extend(std::iter::repeat_n(class_names.len(), class.pictures.len()));
        class_names.push(folder::name(folder));
        files.append(&mut class.pictures);
    }
    if files.is_empty() {
        let expected = format!(
            "a folder per class with pictures ({}), *_batch_*.bin or train.bin (CIFAR) or *images-idx3-ubyte (IDX)",
            EXTENSIONS.join(", ")
        );
        let found = if entries.is_empty() { "an empty folder" } else { "none of these" };
        return Err(DataError::malformed(path, expected, found));
    }
    Ok(Dataset::new(path, class_names, labels, Pictures::Files(files)).leaving_out(left_out))
}

/// Every folder's own files first, then those of its folders, each sorted.
fn walk(
    folder: &Path,
    depth: usize,
    class: &mut Class,
    left_out: &mut BTreeMap<String, usize>,
) -> Result<(), DataError> {
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        folder::entries(folder)?.into_iter().partition(|entry| entry.is_dir());
    for file in files {
        if folder::has_extension(&file, &EXTENSIONS) {
            class.direct += usize::from(depth == 0);
            class.pictures.push(file);
        } else {
            let kind =
                file.extension().map_or("no extension".into(), |e| format!(".{}", e.to_string_lossy()));
            *left_out.entry(kind).or_default() += 1;
        }
    }
    for below in folders.iter().filter(|_| depth < DEEPEST) {
        let before = class.pictures.len();
        walk(below, depth + 1, class, left_out)?;
        class.folders += usize::from(depth == 0 && class.pictures.len() > before);
    }
    Ok(())
}
