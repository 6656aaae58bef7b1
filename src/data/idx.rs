//! IDX, the format of MNIST and its family: a magic number, big-endian sizes, then bytes
//! (<http://yann.lecun.com/exdb/mnist/>), plain or gzipped.

use std::{
    io::{BufReader, ErrorKind, Read, Seek},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use super::{DataError, Dataset, dataset::Pictures, folder};
use crate::files::{incoming, limits};

pub(super) const FASHION_NAMES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// True for `train-images-idx3-ubyte`, `train-images.idx3-ubyte` and both with `.gz`.
pub(super) fn is_images_file(path: &Path) -> bool {
    let name = folder::name(path);
    name.contains("images") && name.contains("idx3")
}

/// Names of EMNIST's splits, and what their labels mean: `letters` counts from 1.
const EMNIST: [(&str, &str); 6] = [
    ("balanced", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
    ("bymerge", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
    ("byclass", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    ("letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("digits", "0123456789"),
    ("mnist", "0123456789"),
];

/// The split that a file's name says, with its classes.
fn emnist(images: &Path) -> Option<(&'static str, Vec<String>)> {
    let name = folder::name(images).to_lowercase();
    let split = name.strip_prefix("emnist-")?;
    let (split, classes) = EMNIST.into_iter().find(|(known, _)| split.starts_with(known))?;
    Some((split, classes.chars().map(String::from).collect()))
}

/// The images file of a folder with these entries: the training one where there are several. A folder of a file's name
/// that holds the file, as some mirrors unpack, is as good as the file.
///
/// # Errors
/// Several splits of EMNIST, of which one is to be named.
pub(super) fn choose(path: &Path, entries: &[PathBuf]) -> Result<Option<PathBuf>, DataError> {
    let file = |entry: &PathBuf| match entry.is_dir() {
        false => is_images_file(entry).then(|| entry.clone()),
        true => Some(entry.join(entry.file_name()?)).filter(|inner| is_images_file(inner) && inner.is_file()),
    };
    let files: Vec<PathBuf> = entries.iter().filter_map(file).collect();
    let mut splits: Vec<&str> = files.iter().filter_map(|file| Some(emnist(file)?.0)).collect();
    splits.sort_unstable();
    splits.dedup();
    if splits.len() > 1 {
        let expected = "one data set, or the path of one images file";
        return Err(DataError::malformed(path, expected, format!("EMNIST's splits {}", splits.join(", "))));
    }
    let train = files.iter().find(|file| folder::name(file).contains("train"));
    Ok(train.or(files.first()).cloned())
}

/// Opens an images file, found at or under `path`, and the labels file beside it. Classes are Fashion-MNIST's if the file or
/// its folder is named `fashion` something, else "0", "1", ….
pub(super) fn open(path: &Path, images: &Path) -> Result<Dataset, DataError> {
    let labels = labels_file(images)?;
    let real = images.canonicalize().unwrap_or_else(|_| images.to_owned());
    let fashion = [Some(real.as_path()), real.parent()]
        .into_iter()
        .flatten()
        .any(|path| folder::name(path).to_lowercase().contains("fashion"));
    let emnist = emnist(images);
    let named = match &emnist {
        Some((_, names)) => Some(names.clone()),
        None => fashion.then(|| FASHION_NAMES.map(String::from).to_vec()),
    };
    let first = usize::from(emnist.is_some_and(|(split, _)| split == "letters"));
    let streams = ((images, open_maybe_gzip(images)?), (labels.as_path(), open_maybe_gzip(&labels)?));
    parse(path, streams.0, streams.1, named, first)
}

/// `path` names the data set; `images` and `labels` are plain IDX streams with the paths that errors name; `named`: the
/// classes, the first of which has label `first`. Without names they are "0", "1", ….
pub(super) fn parse(
    path: &Path,
    (images_path, images): (&Path, impl Read),
    (labels_path, labels): (&Path, impl Read),
    named: Option<Vec<String>>,
    first: usize,
) -> Result<Dataset, DataError> {
    let ([count, height, width], planes) = read_idx(images_path, images)?;
    let ([label_count], labels) = read_idx(labels_path, labels)?;
    if label_count != count {
        let expected = format!("{count} labels, as many as {} has pictures", images_path.display());
        return Err(DataError::malformed(labels_path, expected, label_count));
    }
    let largest = labels.iter().copied().max().map_or(0, usize::from);
    let class_names = named.unwrap_or_else(|| (0..=largest.max(9)).map(|digit| digit.to_string()).collect());
    let known = first..first + class_names.len();
    if let Some(label) = labels.iter().map(|&label| usize::from(label)).find(|label| !known.contains(label)) {
        let expected = format!("labels {first} to {} ({})", known.end - 1, class_names.join(" "));
        return Err(DataError::malformed(labels_path, expected, label));
    }
    let labels = labels.into_iter().map(|label| usize::from(label) - first).collect();
    let pictures = Pictures::Bytes { shape: [1, height, width], planes };
    Ok(Dataset::new(path, class_names, labels, pictures))
}

/// `train-images-idx3-ubyte.gz` → `train-labels-idx1-ubyte[.gz]`, whichever is there.
fn labels_file(images: &Path) -> Result<PathBuf, DataError> {
    let name = folder::name(images).replace("images", "labels").replace("idx3", "idx1");
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let candidates = [name.clone(), plain.to_owned(), format!("{plain}.gz")];
    // Beside it, or in a folder of its own name beside that of the images.
    let beside = candidates.iter().map(|name| images.with_file_name(name));
    let apart = candidates.iter().filter_map(|name| Some(images.parent()?.parent()?.join(name).join(name)));
    let found = beside.chain(apart).find(|path| path.is_file());
    found.ok_or_else(|| DataError::malformed(images, format!("labels beside it in {name}"), "no such file"))
}

fn open_maybe_gzip(path: &Path) -> Result<Box<dyn Read>, DataError> {
    let unreadable = |cause| DataError::unreadable(path, cause);
    let mut start = Vec::new();
    let (mut file, _) = incoming::open(path).map_err(unreadable)?;
    Read::by_ref(&mut file).take(2).read_to_end(&mut start).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    let file = BufReader::new(file);
    Ok(if start == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Sizes and content of an IDX stream of unsigned bytes in `D` dimensions.
fn read_idx<const D: usize>(path: &Path, mut reader: impl Read) -> Result<([usize; D], Vec<u8>), DataError> {
    let mut word = || {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map(|()| u32::from_be_bytes(bytes)).map_err(|cause| {
            match cause.kind() {
                ErrorKind::UnexpectedEof => {
                    DataError::malformed(path, "an IDX header", "a file that ends in it")
                }
                _ => DataError::unreadable(path, cause),
            }
        })
    };
    // Two zero bytes, 0x08 for unsigned bytes, the number of dimensions.
    let magic = 0x0800 | D as u32;
    let found = word()?;
    if found != magic {
        let expected = format!("IDX with magic number {magic:#010x} ({D} dimensions of bytes)");
        return Err(DataError::malformed(path, expected, format!("{found:#010x}")));
    }
    let mut sizes = [0; D];
    for size in &mut sizes {
        *size = word()? as usize;
    }
    let length = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let Some(length) = length.filter(|&length| length > 0) else {
        return Err(DataError::malformed(
            path,
            "sizes above zero that memory can hold",
            format!("{sizes:?}"),
        ));
    };
    let most = limits::memory();
    if length as u64 > most {
        let found = format!("sizes {sizes:?}, which are {length}");
        return Err(DataError::malformed(
            path,
            format!("at most {most} bytes, the memory that there is"),
            found,
        ));
    }
    // One byte more than announced tells a file that is too long. What is announced is believed as it arrives.
    let mut content = Vec::new();
    reader
        .take(length as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|cause| DataError::unreadable(path, cause))?;
    if content.len() != length {
        let expected = format!("{length} bytes for sizes {sizes:?}");
        let found = if content.len() > length { "more".to_owned() } else { content.len().to_string() };
        return Err(DataError::malformed(path, expected, found));
    }
    Ok((sizes, content))
}
