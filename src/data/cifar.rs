//! CIFAR-10's binary version: records of one label byte and 3,072 pixel bytes, the red, green and blue
//! plane of 32×32 (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{DataError, Dataset, dataset::Pictures, folder};

const SHAPE: [usize; 3] = [3, 32, 32];
const RECORD: usize = 1 + 3 * 32 * 32;
const CLASS_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// True for `data_batch_1.bin` and its like.
pub(super) fn is_batch(path: &Path) -> bool {
    folder::name(path).starts_with("data_batch_") && folder::has_extension(path, &["bin"])
}

/// Reads all `batches`, in their order. Class names come from `batches.meta.txt` beside them if it is there.
pub(super) fn open(path: &Path, batches: &[PathBuf]) -> Result<Dataset, DataError> {
    let (mut labels, mut planes) = (Vec::new(), Vec::new());
    for batch in batches {
        read_batch(batch, &mut labels, &mut planes)?;
    }
    let meta = batches.first().map(|batch| batch.with_file_name("batches.meta.txt"));
    let class_names = match meta.filter(|meta| meta.is_file()) {
        Some(meta) => read_names(&meta)?,
        None => CLASS_NAMES.map(String::from).to_vec(),
    };
    Ok(Dataset::new(path, class_names, labels, Pictures::Bytes { shape: SHAPE, planes }))
}

fn read_batch(path: &Path, labels: &mut Vec<usize>, planes: &mut Vec<u8>) -> Result<(), DataError> {
    let bytes = fs::read(path).map_err(|cause| DataError::unreadable(path, cause))?;
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        let expected = format!("records of {RECORD} bytes (CIFAR-10 binary)");
        return Err(DataError::malformed(path, expected, format!("{} bytes", bytes.len())));
    }
    for (record, bytes) in bytes.chunks_exact(RECORD).enumerate() {
        let label = usize::from(bytes[0]);
        if label >= CLASS_NAMES.len() {
            let found = format!("{label} in record {record}");
            return Err(DataError::malformed(path, "labels 0 to 9 (CIFAR-10 binary)", found));
        }
        labels.push(label);
        planes.extend_from_slice(&bytes[1..]);
    }
    Ok(())
}

fn read_names(path: &Path) -> Result<Vec<String>, DataError> {
    let text = fs::read_to_string(path).map_err(|cause| DataError::unreadable(path, cause))?;
    let names: Vec<_> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
    if names.len() != CLASS_NAMES.len() {
        return Err(DataError::malformed(path, "10 class names, one a line", names.len()));
    }
    Ok(names)
}
