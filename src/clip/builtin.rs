//! The model that comes with the program, so that pictures can be named without a download. Its card:
//! `weights/README.md`.

use std::path::Path;

use super::{Bank, ClipError, Encoder};
use crate::tensor_file::TensorFile;

/// What the command line calls it.
pub const NAME: &str = "builtin";

/// `gia-gpu train clip` wrote it.
const FILE: &[u8] = include_bytes!("../../weights/builtin.safetensors");

/// The model with its bank of names.
pub fn bank() -> Result<Bank, ClipError> {
    Bank::from_file(&TensorFile::from_bytes(Path::new(NAME), FILE)?, NAME)
}

/// The same as what names pictures.
pub fn open() -> Result<Box<dyn Encoder>, ClipError> {
    Ok(Box::new(bank()?))
}
