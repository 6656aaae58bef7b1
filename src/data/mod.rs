//! Pictures in and out: image files, data sets in their public formats, normalisation.
//!
//! Pixels are `f32` in [0, 1], planar `(C, H, W)`. Everything that a file can hold wrong is a
//! [`DataError`] that names the file, what was expected and what was found.

mod any;
pub mod atomic;
mod batches;
mod cifar;
mod class_folder;
mod class_names;
mod dataset;
mod folder;
mod idx;
mod image_file;
mod jpeg_damage;
mod jpeg_end;
mod names;
mod natural;
mod normalisation;
mod paths;
mod picture;
mod samples;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use any::read_any_pictures;
pub use batches::BatchRule;
pub use class_names::read_class_names;
pub use dataset::Dataset;
#[cfg(feature = "report")]
pub(crate) use image_file::encode_png;
pub use image_file::read_png_folder;
pub use names::{add_name, place_of_name, same_name, spoken};
pub use natural::{in_natural_order, natural};
pub use normalisation::{Normalisation, NormalisationPreset};
pub use paths::same_file;
pub use picture::Picture;
pub use samples::{SAMPLES, samples};

#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable { path: PathBuf, cause: io::Error },
    #[error("{}: expected {expected}, found {found}", path.display())]
    Malformed { path: PathBuf, expected: String, found: String },
    #[error("data set {dataset} has {count} pictures, counted from 0; there is no picture {index}")]
    NoSuchPicture { dataset: String, index: usize, count: usize },
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch { what: &'static str, expected: String, found: String },
}

impl DataError {
    fn unreadable(path: &Path, cause: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), cause }
    }

    fn unwritable(path: &Path, cause: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), cause }
    }

    fn malformed(path: &Path, expected: impl ToString, found: impl ToString) -> Self {
        Self::Malformed { path: path.to_owned(), expected: expected.to_string(), found: found.to_string() }
    }

    fn mismatch(what: &'static str, expected: impl ToString, found: impl ToString) -> Self {
        Self::Mismatch { what, expected: expected.to_string(), found: found.to_string() }
    }
}
