//! Archives made by hand.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use gia_gpu::tensor_file::{ParameterSpec, TensorFile, TensorFileError as Error};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use tempfile::TempDir;

/// `.npy` bytes: version 1.0, the header padded as NumPy pads it.
pub(crate) fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    with_header(&format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"), data)
}

/// `.npy` bytes with any header.
pub(crate) fn with_header(text: &str, data: &[u8]) -> Vec<u8> {
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let text = format!("{text:<0$}\n", length - 1);
    [&b"\x93NUMPY\x01\x00"[..], &(length as u16).to_le_bytes(), text.as_bytes(), data].concat()
}

/// A row-major f32 array of zeros.
pub(crate) fn zeros(shape: &[usize]) -> Vec<u8> {
    let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    npy("<f4", false, &format!("({axes})"), &vec![0; 4 * shape.iter().product::<usize>()])
}

pub(crate) fn counter() -> Vec<u8> {
    npy("<i8", false, "()", &7i64.to_le_bytes())
}

/// Members as `np.savez` writes them, or `np.savez_compressed`.
pub(crate) fn zip(members: &[(&str, Vec<u8>)], compressed: bool) -> Vec<u8> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in members {
        let method = if compressed { CompressionMethod::DEFLATE } else { CompressionMethod::STORE };
        let (mut entry, config) = archive.new_file(name).compression_method(method).start().unwrap();
        let descriptor = if compressed {
            let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
            writer.write_all(bytes).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap().1
        };
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap()
}

/// `arr_0`, `arr_1`, … of these shapes.
pub(crate) fn positional(shapes: &[&[usize]]) -> Vec<u8> {
    let names: Vec<String> = (0..shapes.len()).map(|i| format!("arr_{i}.npy")).collect();
    let members: Vec<_> =
        names.iter().zip(shapes).map(|(name, shape)| (name.as_str(), zeros(shape))).collect();
    zip(&members, false)
}

/// Reads `bytes` as a file; checks that an error names it. The extension says nothing.
pub(crate) fn read_in(folder: &TempDir, bytes: &[u8]) -> Result<TensorFile, Error> {
    let path = folder.path().join("update.bin");
    fs::write(&path, bytes).unwrap();
    TensorFile::read(&path).inspect_err(|error| {
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    })
}

pub(crate) fn read(bytes: &[u8]) -> Result<TensorFile, Error> {
    read_in(&TempDir::new().unwrap(), bytes)
}

/// The message after the file's name.
pub(crate) fn message(error: Error) -> String {
    error.to_string().split_once(": ").unwrap().1.to_string()
}

pub(crate) fn read_message(bytes: &[u8]) -> String {
    message(read(bytes).unwrap_err())
}

pub(crate) fn spec(name: &str, shape: &[usize]) -> ParameterSpec {
    ParameterSpec { name: name.into(), shape: shape.into() }
}
