//! Which program this is: what a run goes on with must come from the same code.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// The program's own file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct Unreadable {
    /// Where the program is.
    pub path: PathBuf,
    /// What the system says.
    pub cause: io::Error,
}

/// SHA-256 of the program's own file, in hexadecimal. Versions say too little: a build between two of them, another
/// compiler or another library may add in another order.
///
/// # Errors
/// If the file cannot be read.
pub fn fingerprint() -> Result<String, Unreadable> {
    let path =
        env::current_exe().map_err(|cause| Unreadable { path: "the running program".into(), cause })?;
    hash(&path).map_err(|cause| Unreadable { path, cause })
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
}
