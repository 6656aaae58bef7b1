//! What can go wrong between a server and a file.

use std::path::PathBuf;

use super::shown;

/// Each message is complete: it carries its cause in its text.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The user asked for a name that is not in the list.
    #[error("no weights are called '{name}', expected one of {expected}")]
    Unknown {
        /// That name.
        name: String,
        /// The names that are.
        expected: String,
    },

    /// The user asked for weights that are published in a form that is not read.
    #[error("'{name}' is published as a pickle alone, which is not read: {script} makes safetensors of it")]
    Elsewhere {
        /// What they are called.
        name: &'static str,
        /// What makes a file of them that is read.
        script: &'static str,
    },

    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file on this machine.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },

    /// Neither variable that names a cache folder is set.
    #[error("the system names no folder for cached files (HOME or XDG_CACHE_HOME)")]
    NoCache,

    /// Another process fetches the same file.
    #[error("{path}: another download of this file is running")]
    Busy {
        /// The file on this machine.
        path: PathBuf,
    },

    /// There is no network, or no such server.
    #[error(
        "{}: no answer: {cause}; is there a network? --from takes another server, or a folder on this machine",
        shown(url)
    )]
    NoAnswer {
        /// What was asked for.
        url: String,
        /// What went wrong.
        cause: String,
    },

    /// The server refuses, or has no such file.
    #[error("{}: the server answers {status}{}", shown(url), if *.status == 404 { ": the file is not there; --from names another place" } else { "" })]
    Status {
        /// What was asked for.
        url: String,
        /// HTTP's number.
        status: u16,
    },

    /// The server redirects in circles.
    #[error(
        "{}: the server leads on and on, expected the file after {limit} redirections at most",
        shown(url)
    )]
    Redirections {
        /// What was asked for.
        url: String,
        /// Most that are followed.
        limit: usize,
    },

    /// The user gave an address of another kind.
    #[error("{}: expected http:// or https://, or a folder on this machine", shown(url))]
    Url {
        /// What was asked for.
        url: String,
    },

    /// The connection ended early; what arrived is kept.
    #[error("{}: the transfer broke off after {done} of {}: {cause}; the same command goes on from there", shown(url), size(.of))]
    Broken {
        /// What was asked for.
        url: String,
        /// Bytes that arrived.
        done: u64,
        /// Bytes in all, where the server says so.
        of: Option<u64>,
        /// What went wrong.
        cause: String,
    },

    /// The server's file is another than the one that was begun.
    #[error(
        "{}: the file changed on the server while it was fetched; the same command begins anew",
        shown(url)
    )]
    Changed {
        /// What was asked for.
        url: String,
    },

    /// The file has another length.
    #[error("{}: {found} bytes, expected {expected}", shown(from))]
    Size {
        /// Where it came from: an address or a file.
        from: String,
        /// Its bytes.
        found: u64,
        /// Bytes that it should have.
        expected: u64,
    },

    /// The content is not what was announced; the file is deleted.
    #[error("{}: SHA-256 is {found}, expected {expected} ({by}): the file was deleted", shown(from))]
    Hash {
        /// Where it came from: an address or a file.
        from: String,
        /// SHA-256 of what arrived.
        found: String,
        /// SHA-256 that it should have.
        expected: String,
        /// Who says what it should be.
        by: &'static str,
    },

    /// A file from an earlier download is not what it should be.
    #[error("{}: SHA-256 is {found}, expected {expected} ({by}): delete the file, and the same command gets it again", path.display())]
    There {
        /// The file on this machine.
        path: PathBuf,
        /// Its SHA-256.
        found: String,
        /// SHA-256 that it should have.
        expected: String,
        /// Who says what it should be.
        by: &'static str,
    },

    /// A file from an earlier download is no good.
    #[error("{}: expected {expected}, found {found}: delete it, and the same command gets it again", path.display())]
    Damaged {
        /// The file on this machine.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What it is.
        found: String,
    },

    /// What arrived is no weights, such as a login page; the file is deleted.
    #[error("{}: expected {expected}, found {found}: the file was deleted", shown(from))]
    Content {
        /// Where it came from: an address or a file.
        from: String,
        /// What was expected.
        expected: &'static str,
        /// What arrived.
        found: String,
    },

    /// The server sends without end.
    #[error(
        "{}: more than {most} bytes, which is more than such a file has: the transfer was ended",
        shown(from)
    )]
    Endless {
        /// Where it came from: an address or a file.
        from: String,
        /// Bytes after which the transfer is ended.
        most: u64,
    },

    /// The server redirects to an address without encryption.
    #[error(
        "{}: the server leads from https to {}, where what it says can be changed on the way",
        shown(url),
        shown(to)
    )]
    Plain {
        /// Where it began.
        url: String,
        /// Where it leads.
        to: String,
    },

    /// The user gave something else for a SHA-256.
    #[error("'{found}' is no SHA-256: expected 64 hexadecimal digits")]
    NoHash {
        /// What was given.
        found: String,
    },
}

fn size(of: &Option<u64>) -> String {
    of.map_or_else(|| "an unknown number of bytes".into(), |n| format!("{n} bytes"))
}
