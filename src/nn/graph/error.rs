//! Why a file is no network that can be a victim.

use std::path::{Path, PathBuf};

/// Each message names the file, and where there is one the node.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    #[error("{path}: cannot be read: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{path}: {reason}")]
    File { path: PathBuf, reason: String },
    #[error("{path}: {place}: {reason}")]
    Node { path: PathBuf, place: String, reason: String },
}

impl GraphError {
    pub(super) fn file(path: &Path, reason: &str) -> GraphError {
        GraphError::File { path: path.into(), reason: reason.into() }
    }

    pub(super) fn node(path: &Path, place: &str, reason: String) -> GraphError {
        GraphError::Node { path: path.into(), place: place.into(), reason }
    }
}
