//! CIFAR-10's and CIFAR-100's binary versions: records of one label byte (CIFAR-100: a coarse and a fine one) and 3,072
//! pixel bytes, the red, green and blue plane of 32×32 (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::path::{Path, PathBuf};

use super::{DataError, Dataset, dataset::Pictures, folder};
use crate::files::incoming;

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;
const CLASS_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ten,
    Hundred,
}

impl Kind {
    /// By the length of the file; CIFAR-100's are named by what they are for.
    fn of(path: &Path, length: u64) -> Kind {
        let fits = |kind: Kind| length.is_multiple_of(kind.record() as u64);
        let said = matches!(folder::name(path).as_str(), "train.bin" | "test.bin");
        if fits(Kind::Hundred) && (said || !fits(Kind::Ten)) { Kind::Hundred } else { Kind::Ten }
    }

    /// Bytes of labels; the last is the class.
    fn labels(self) -> usize {
        if self == Kind::Ten { 1 } else { 2 }
    }

    fn record(self) -> usize {
        self.labels() + PIXELS
    }

    fn classes(self) -> usize {
        if self == Kind::Ten { 10 } else { 100 }
    }

    fn name(self) -> &'static str {
        if self == Kind::Ten { "CIFAR-10 binary" } else { "CIFAR-100 binary" }
    }
}

/// `data_batch_1.bin` and its like; CIFAR-100's `train.bin`, else `test.bin`.
pub(super) fn batches(entries: &[PathBuf]) -> Vec<PathBuf> {
    let batch = |path: &&PathBuf| {
        folder::name(path).starts_with("data_batch_") && folder::has_extension(path, &["bin"])
    };
    let found: Vec<PathBuf> = entries.iter().filter(batch).cloned().collect();
    if !found.is_empty() {
        return found;
    }
    let named = |name: &str| entries.iter().find(|path| folder::name(path) == name && path.is_file());
    named("train.bin").or_else(|| named("test.bin")).cloned().into_iter().collect()
}

/// Reads all `batches`, in their order. Class names come from `batches.meta.txt` or `fine_label_names.txt` beside them if
/// it is there.
pub(super) fn open(path: &Path, batches: &[PathBuf]) -> Result<Dataset, DataError> {
    let (mut labels, mut planes) = (Vec::new(), Vec::new());
    let mut kind = Kind::Ten;
    for batch in batches {
        let bytes = incoming::read(batch, u64::MAX).map_err(|cause| DataError::unreadable(batch, cause))?;
        kind = Kind::of(batch, bytes.len() as u64);
        read_batch(batch, kind, &bytes, &mut labels, &mut planes)?;
    }
    let names = if kind == Kind::Ten { "batches.meta.txt" } else { "fine_label_names.txt" };
    let meta = batches.first().map(|batch| batch.with_file_name(names));
    let class_names = match (meta.filter(|meta| meta.is_file()), kind) {
        (Some(meta), _) => read_names(&meta, kind)?,
        (None, Kind::Ten) => CLASS_NAMES.map(String::from).to_vec(),
        (None, Kind::Hundred) => (0..kind.classes()).map(|class| class.to_string()).collect(),
    };
    Ok(Dataset::new(path, class_names, labels, Pictures::Bytes { shape: SHAPE, planes }))
}

fn read_batch(
    path: &Path,
    kind: Kind,
    bytes: &[u8],
    labels: &mut Vec<usize>,
    planes: &mut Vec<u8>,
) -> Result<(), DataError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(kind.record()) {
        let expected = format!("records of {} bytes ({})", kind.record(), kind.name());
        return Err(DataError::malformed(path, expected, format!("{} bytes", bytes.len())));
    }
    for (record, bytes) in bytes.chunks_exact(kind.record()).enumerate() {
        let (own, pixels) = bytes.split_at(kind.labels());
        let label = usize::from(own[own.len() - 1]);
        if label >= kind.classes() {
            let found = format!("{label} in record {record}");
            let expected = format!("labels 0 to {} ({})", kind.classes() - 1, kind.name());
            return Err(DataError::malformed(path, expected, found));
        }
        labels.push(label);
        planes.extend_from_slice(pixels);
    }
    Ok(())
}

fn read_names(path: &Path, kind: Kind) -> Result<Vec<String>, DataError> {
    let text = incoming::read_text(path).map_err(|cause| DataError::unreadable(path, cause))?;
    let names: Vec<_> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
    if names.len() != kind.classes() {
        let expected = format!("{} class names, one a line", kind.classes());
        return Err(DataError::malformed(path, expected, names.len()));
    }
    Ok(names)
}
