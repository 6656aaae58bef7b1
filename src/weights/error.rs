//! What can go wrong between a server and a file.

use std::path::PathBuf;

/// Each message is complete: it carries its cause in its text.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("no weights are called '{name}', expected one of {expected}")]
    Unknown { name: String, expected: String },

    #[error("{path}: {cause}")]
    File { path: PathBuf, cause: std::io::Error },

    #[error("the system names no folder for cached files (HOME or XDG_CACHE_HOME)")]
    NoCache,

    #[error("{path}: another download of this file is running")]
    Busy { path: PathBuf },

    #[error(
        "{url}: no answer: {cause}; is there a network? --from takes another server, or a folder on this machine"
    )]
    NoAnswer { url: String, cause: String },

    #[error("{url}: the server answers {status}{}", if *.status == 404 { ": the file is not there; --from names another place" } else { "" })]
    Status { url: String, status: u16 },

    #[error("{url}: the server leads on and on, expected the file after {limit} redirections at most")]
    Redirections { url: String, limit: usize },

    #[error("{url}: expected http:// or https://, or a folder on this machine")]
    Url { url: String },

    #[error("{url}: the transfer broke off after {done} of {}: {cause}; the same command goes on from there", size(.of))]
    Broken { url: String, done: u64, of: Option<u64>, cause: String },

    #[error("{from}: {found} bytes, expected {expected}")]
    Size { from: String, found: u64, expected: u64 },

    #[error("{from}: SHA-256 is {found}, expected {expected} ({by}): the file was deleted")]
    Hash { from: String, found: String, expected: String, by: &'static str },

    #[error("'{found}' is no SHA-256: expected 64 hexadecimal digits")]
    NoHash { found: String },
}

fn size(of: &Option<u64>) -> String {
    of.map_or_else(|| "an unknown number of bytes".into(), |n| format!("{n} bytes"))
}
