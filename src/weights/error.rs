//! What can go wrong between a server and a file.

use std::path::PathBuf;

use super::shown;

/// Each message is complete: it carries its cause in its text.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("no weights are called '{name}', expected one of {expected}")]
    Unknown { name: String, expected: String },

    #[error("'{name}' is published as a pickle alone, which is not read: {script} makes safetensors of it")]
    Elsewhere { name: &'static str, script: &'static str },

    #[error("{path}: {cause}")]
    File { path: PathBuf, cause: std::io::Error },

    #[error("the system names no folder for cached files (HOME or XDG_CACHE_HOME)")]
    NoCache,

    #[error("{path}: another download of this file is running")]
    Busy { path: PathBuf },

    #[error(
        "{}: no answer: {cause}; is there a network? --from takes another server, or a folder on this machine",
        shown(url)
    )]
    NoAnswer { url: String, cause: String },

    #[error("{}: the server answers {status}{}", shown(url), if *.status == 404 { ": the file is not there; --from names another place" } else { "" })]
    Status { url: String, status: u16 },

    #[error(
        "{}: the server leads on and on, expected the file after {limit} redirections at most",
        shown(url)
    )]
    Redirections { url: String, limit: usize },

    #[error("{}: expected http:// or https://, or a folder on this machine", shown(url))]
    Url { url: String },

    #[error("{}: the transfer broke off after {done} of {}: {cause}; the same command goes on from there", shown(url), size(.of))]
    Broken { url: String, done: u64, of: Option<u64>, cause: String },

    #[error(
        "{}: the file changed on the server while it was fetched; the same command begins anew",
        shown(url)
    )]
    Changed { url: String },

    #[error("{}: {found} bytes, expected {expected}", shown(from))]
    Size { from: String, found: u64, expected: u64 },

    #[error("{}: SHA-256 is {found}, expected {expected} ({by}): the file was deleted", shown(from))]
    Hash { from: String, found: String, expected: String, by: &'static str },

    #[error("{}: SHA-256 is {found}, expected {expected} ({by}): delete the file, and the same command gets it again", path.display())]
    There { path: PathBuf, found: String, expected: String, by: &'static str },

    #[error("{}: expected {expected}, found {found}: delete it, and the same command gets it again", path.display())]
    Damaged { path: PathBuf, expected: &'static str, found: String },

    #[error("{}: expected {expected}, found {found}: the file was deleted", shown(from))]
    Content { from: String, expected: &'static str, found: String },

    #[error(
        "{}: more than {most} bytes, which is more than such a file has: the transfer was ended",
        shown(from)
    )]
    Endless { from: String, most: u64 },

    #[error(
        "{}: the server leads from https to {}, where what it says can be changed on the way",
        shown(url),
        shown(to)
    )]
    Plain { url: String, to: String },

    #[error("'{found}' is no SHA-256: expected 64 hexadecimal digits")]
    NoHash { found: String },
}

fn size(of: &Option<u64>) -> String {
    of.map_or_else(|| "an unknown number of bytes".into(), |n| format!("{n} bytes"))
}
