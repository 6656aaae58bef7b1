//! Pictures and data sets, read and written as a user's files are.

mod datasets;
mod hostile_files;
mod normalisation;
mod pictures;

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};

/// A CIFAR-10 record whose pixels count up from `start`.
fn cifar_record(label: u8, start: u8) -> Vec<u8> {
    let pixels = (0..3072_usize).map(|index| start.wrapping_add((index % 251) as u8));
    std::iter::once(label).chain(pixels).collect()
}

/// An IDX file of unsigned bytes.
fn idx(sizes: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = (0x0800 | sizes.len() as u32).to_be_bytes().to_vec();
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(content);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes a file and the folders above it.
fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The message of an error, which must name `named`.
fn message<T>(result: Result<T, gia_gpu::data::DataError>, named: &str) -> String {
    let message = result.err().expect("an error").to_string();
    assert!(message.contains(named), "{message:?} does not name {named:?}");
    message
}
