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
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "its documentation is help text, where [0,1] is an interval"
)]
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

/// Why pictures cannot be had, or kept.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file is not there, or may not be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The disk is full, or the folder may not be written to.
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is not what its format asks for.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Malformed {
        /// The file or folder.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The user asked for a picture beyond the last.
    #[error("data set {dataset} has {count} pictures, counted from 0; there is no picture {index}")]
    NoSuchPicture {
        /// As the user gave it.
        dataset: String,
        /// That was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Two inputs do not fit each other: sizes, channels, counts.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What does not fit.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What there is.
        found: String,
    },
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
