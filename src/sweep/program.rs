//! Which program this is, as errors of a sweep say it.

use super::SweepError;
use crate::files::program;

/// SHA-256 of the program's own file, in hexadecimal.
///
/// # Errors
/// If the file cannot be read.
pub fn fingerprint() -> Result<String, SweepError> {
    program::fingerprint().map_err(|error| SweepError::Program { path: error.path, cause: error.cause })
}
