//! The model that comes with the program, so that pictures can be named without a download.

use super::{ClipError, Encoder};

/// What the command line calls it.
pub const NAME: &str = "builtin";

/// Opens it.
///
/// # Errors
/// [`ClipError::NoBuiltin`] in a build without its weights, as this one is.
pub fn open() -> Result<Box<dyn Encoder>, ClipError> {
    Err(ClipError::NoBuiltin)
}
