//! A labelled collection of pictures, whatever format it comes in.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{DataError, Picture, cifar, class_folder, folder, idx, image_file::from_byte};

/// Labelled pictures, read from disk when asked for (folders) or held as bytes (CIFAR-10, IDX).
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name of the folder or file it was opened from, as in `cifar/test` where its own says no more than which part it is.
    pub name: String,
    /// What label 0, 1, … means.
    pub class_names: Vec<String>,
    /// One label a picture, each below `class_names.len()`.
    labels: Vec<usize>,
    pictures: Pictures,
    frame: Option<[usize; 3]>,
    /// Files of class folders that are no pictures of a known format: how many of each extension.
    pub left_out: BTreeMap<String, usize>,
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

/// Folders that say which part of a data set they are, not of which.
const PARTS: [&str; 9] =
    ["train", "training", "test", "testing", "val", "valid", "validation", "images", "data"];

/// Its last component, after the one before where it is a part's.
fn title(path: &Path) -> String {
    let own = folder::name(path);
    let of = path.parent().map(folder::name).filter(|of| !of.is_empty());
    match of.filter(|_| PARTS.iter().any(|part| own.eq_ignore_ascii_case(part))) {
        Some(of) => format!("{of}/{own}"),
        None => own,
    }
}

impl Dataset {
    /// Opens what lies at `path`, told by its names:
    ///
    /// - a folder with a folder per class, each holding pictures of torchvision's formats;
    /// - CIFAR-10 binary: a `.bin` file, or a folder with `data_batch_*.bin`; CIFAR-100 binary: `train.bin` or
    ///   `test.bin`;
    /// - IDX (the MNIST family): an `*images-idx3-ubyte[.gz]` file with its labels beside it, or a folder
    ///   with such a pair (the `train` one where there are several), each in a folder of its own name or not.
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
        let batches = cifar::batches(&entries);
        if !batches.is_empty() {
            return cifar::open(path, &batches);
        }
        if let Some(images) = idx::choose(path, &entries)? {
            return idx::open(path, &images);
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
        let name = title(&path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        Dataset { name, class_names, labels, pictures, frame: None, left_out: BTreeMap::new() }
    }

    /// The same data set with every picture repeated to `channels` and padded with zeros to
    /// `height × width`: MNIST's 1×28×28 as the 3×32×32 that CIFAR-10's networks take.
    pub fn framed(self, channels: usize, height: usize, width: usize) -> Self {
        Self { frame: Some([channels, height, width]), ..self }
    }

    pub(super) fn leaving_out(self, left_out: BTreeMap<String, usize>) -> Self {
        Self { left_out, ..self }
    }

    pub(super) fn relabel(&mut self, new: impl Fn(usize) -> usize) {
        self.labels.iter_mut().for_each(|label| *label = new(*label));
    }

    /// What errors call it.
    pub(super) fn name_of_path(&self) -> PathBuf {
        PathBuf::from(&self.name)
    }

    /// Whether its pictures are files in a folder per class, which may be of any size.
    pub fn is_of_folders(&self) -> bool {
        matches!(self.pictures, Pictures::Files(_))
    }

    /// Every size `[H, W]` that its pictures have, by the files' headers, with how many have it; the most frequent
    /// first. A file that cannot be read is left to [`Dataset::picture`].
    pub fn sizes(&self) -> Vec<([usize; 2], usize)> {
        let mut counts = BTreeMap::new();
        match &self.pictures {
            Pictures::Files(paths) => {
                for size in paths.iter().filter_map(|path| Picture::read_size(path).ok()) {
                    *counts.entry(size).or_insert(0) += 1;
                }
            }
            Pictures::Bytes { shape: [_, h, w], .. } => {
                counts.insert([*h, *w], self.len());
            }
        }
        let mut sizes: Vec<_> = counts.into_iter().collect();
        sizes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        sizes
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether it has no pictures.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All labels, in the order of the pictures.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The class of the picture at `index`, from 0.
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

    /// Picture `index` as a network's input `[C, H, W]`: those of folders as torchvision resizes and crops them, others
    /// as [`Picture::fitted`] does.
    pub fn picture_as(&self, index: usize, shape: [usize; 3]) -> Result<Picture, DataError> {
        let picture = self.picture(index)?;
        match &self.pictures {
            Pictures::Files(_) => picture.as_input(shape),
            Pictures::Bytes { .. } => picture.fitted(shape),
        }
    }

    fn no_such_picture(&self, index: usize) -> DataError {
        DataError::NoSuchPicture { dataset: self.name.clone(), index, count: self.len() }
    }
}
