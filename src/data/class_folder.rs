//! A folder per class: sorted folder names are the labels 0, 1, …, as torchvision's `ImageFolder` has it.

use std::path::{Path, PathBuf};

use super::{DataError, Dataset, dataset::Pictures, folder};

/// `entries`: what the folder at `path` holds, sorted.
pub(super) fn open(path: &Path, entries: &[PathBuf]) -> Result<Dataset, DataError> {
    let (mut class_names, mut labels, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for class in entries.iter().filter(|entry| entry.is_dir()) {
        let mut pictures = folder::entries(class)?;
        pictures.retain(|file| folder::has_extension(file, &["png", "jpg", "jpeg"]));
        if pictures.is_empty() {
            let expected = "a class folder with .png, .jpg or .jpeg files";
            let found = "none (if the class folders lie deeper, open the folder right above them)";
            return Err(DataError::malformed(class, expected, found));
        }
        labels.extend(std::iter::repeat_n(class_names.len(), pictures.len()));
        class_names.push(folder::name(class));
        files.append(&mut pictures);
    }
    if files.is_empty() {
        let expected = "a folder per class, data_batch_*.bin (CIFAR-10) or *images-idx3-ubyte (IDX)";
        let found = if entries.is_empty() { "an empty folder" } else { "none of these" };
        return Err(DataError::malformed(path, expected, found));
    }
    Ok(Dataset::new(path, class_names, labels, Pictures::Files(files)))
}
