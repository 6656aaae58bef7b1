//! A labelled collection of pictures, whatever format it comes in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{DataError, Picture, cifar, class_folder, folder, idx, image_file::from_byte};

/// Labelled pictures, read from disk when asked for (folders) or held as bytes (CIFAR-10, IDX).
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name of the folder or file it was opened from.
    pub name: String,
    /// What label 0, 1, … means.
    pub class_names: Vec<String>,
    /// One label a picture, each below `class_names.len()`.
    labels: Vec<usize>,
    pictures: Pictures,
    frame: Option<[usize; 3]>,
}

#[derive(Clone, Debug)]
pub(super) enum Pictures {
    Files(Vec<PathBuf>),
    /// `planes`: `(N, C, H, W)`, [0, 255].
    Bytes {
        shape: [usize; 3],
        planes: Vec<u8>,
    },
}

impl Dataset {
    /// Opens what lies at `path`, told by its names:
    ///
    /// - a folder with a folder per class, each holding PNG or JPEG files;
    /// - CIFAR-10 binary: a `.bin` file, or a folder with `data_batch_*.bin`;
    /// - IDX (the MNIST family): an `*images-idx3-ubyte[.gz]` file with its labels beside it, or a folder
    ///   with such a pair (the `train` one where there are several).
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let metadata = fs::metadata(path).map_err(|cause| DataError::unreadable(path, cause))?;
        if !metadata.is_dir() {
            if folder::has_extension(path, &["bin"]) {
                return cifar::open(path, &[path.to_owned()]);
            }
            if idx::is_images_file(path) {
                return idx::open(path, path);
            }
            let expected = "a .bin file (CIFAR-10), an *images-idx3-ubyte file (IDX) or a folder";
            return Err(DataError::malformed(path, expected, "another file"));
        }

        let entries = folder::entries(path)?;
        let batches: Vec<_> = entries.iter().filter(|entry| cifar::is_batch(entry)).cloned().collect();
        if !batches.is_empty() {
            return cifar::open(path, &batches);
        }
        let idx_files = || entries.iter().filter(|entry| idx::is_images_file(entry));
        let train = idx_files().find(|file| folder::name(file).starts_with("train"));
        if let Some(images) = train.or_else(|| idx_files().next()) {
            return idx::open(path, images);
        }
        class_folder::open(path, &entries)
    }

    pub(super) fn new(
        path: &Path,
        class_names: Vec<String>,
        labels: Vec<usize>,
        pictures: Pictures,
    ) -> Dataset {
        // The last component of `.` and `..` says nothing; that of the real path does.
        let name = folder::name(&path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        Dataset { name, class_names, labels, pictures, frame: None }
    }

    /// The same data set with every picture repeated to `channels` and padded with zeros to
    /// `height × width`: MNIST's 1×28×28 as the 3×32×32 that CIFAR-10's networks take.
    pub fn framed(self, channels: usize, height: usize, width: usize) -> Self {
        Self { frame: Some([channels, height, width]), ..self }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All labels, in the order of the pictures.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    pub fn label(&self, index: usize) -> Result<usize, DataError> {
        self.labels.get(index).copied().ok_or_else(|| self.no_such_picture(index))
    }

    /// Reads or decodes picture `index`.
    pub fn picture(&self, index: usize) -> Result<Picture, DataError> {
        if index >= self.len() {
            return Err(self.no_such_picture(index));
        }
        let picture = match &self.pictures {
            Pictures::Files(paths) => Picture::read(&paths[index])?,
            Pictures::Bytes { shape: [channels, height, width], planes } => {
                let length = channels * height * width;
                let bytes = &planes[index * length..(index + 1) * length];
                Picture::new(*channels, *height, *width, bytes.iter().copied().map(from_byte).collect())?
            }
        };
        match self.frame {
            Some([channels, height, width]) => picture.with_channels(channels)?.padded(height, width),
            None => Ok(picture),
        }
    }

    fn no_such_picture(&self, index: usize) -> DataError {
        DataError::NoSuchPicture { dataset: self.name.clone(), index, count: self.len() }
    }
}
