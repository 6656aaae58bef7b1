//! Why a file is no network that can be a victim.

use std::path::{Path, PathBuf};

/// Each message names the file, and where there is one the node.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// The file cannot be opened or read.
    #[error("{path}: cannot be read: {cause}")]
    Read {
        /// The network's file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file as a whole is no network that can be a victim.
    #[error("{path}: {reason}")]
    File {
        /// The network's file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// One operation is unknown, or does not fit its operands.
    #[error("{path}: {place}: {reason}")]
    Node {
        /// The network's file.
        path: PathBuf,
        /// The operation, as the file calls it.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

impl GraphError {
    pub(super) fn file(path: &Path, reason: &str) -> GraphError {
        GraphError::File { path: path.into(), reason: reason.into() }
    }

    pub(super) fn node(path: &Path, place: &str, reason: String) -> GraphError {
        GraphError::Node { path: path.into(), place: place.into(), reason }
    }
}
