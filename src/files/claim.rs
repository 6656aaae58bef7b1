//! A folder for results belongs to one process from before it computes until it has written: two runs never mix.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

/// Stands in a folder as long as a process writes to it.
const LOCK: &str = ".gia-gpu.lock";

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("{} is taken: {holder} writes to it; give another folder, or wait", path.display())]
    Taken { path: PathBuf, holder: String },
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable { path: PathBuf, cause: io::Error },
}

impl ClaimError {
    /// Whether another folder is to be given, as opposed to a failure.
    pub fn is_misuse(&self) -> bool {
        !matches!(self, ClaimError::Unwritable { .. })
    }
}

/// A folder that no other process can claim until this is dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    lock: File,
    /// Outermost folder made for it; removed again if nothing is written.
    made: Option<PathBuf>,
}

impl Claim {
    /// This folder, which is made if needed.
    ///
    /// # Errors
    /// Another process has it; it cannot be written to.
    pub fn of(path: &Path) -> Result<Claim, ClaimError> {
        let unwritable = |cause| ClaimError::Unwritable { path: path.into(), cause };
        let missing = path.ancestors().filter(|a| !a.as_os_str().is_empty() && !a.exists()).last();
        let made = missing.map(Path::to_path_buf);
        fs::create_dir_all(path).map_err(unwritable)?;
        Ok(Claim { path: path.into(), lock: lock(path)?, made })
    }

    /// Results are in it: it stays.
    pub fn keep(&mut self) {
        self.made = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // While it is locked: whoever opens it later finds that it is no longer the one of this name.
        let _ = fs::remove_file(self.path.join(LOCK));
        let _ = self.lock.unlock();
        let Some(made) = &self.made else { return };
        // Only folders that are still empty go.
        for folder in self.path.ancestors().take_while(|a| a.starts_with(made)) {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

fn lock(folder: &Path) -> Result<File, ClaimError> {
    let path = folder.join(LOCK);
    let unwritable = |cause| ClaimError::Unwritable { path: folder.into(), cause };
    loop {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(1 << 12).read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another process".into() } else { holder };
                return Err(ClaimError::Taken { path: folder.into(), holder });
            }
            Err(TryLockError::Error(cause)) => return Err(unwritable(cause)),
        }
        // Who had it may have removed it between the two.
        if !is_at(&file, &path) {
            continue;
        }
        let holder = format!("process {} ({})", std::process::id(), program());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(unwritable)?;
        return Ok(file);
    }
}

fn program() -> String {
    let words = std::env::args_os().take(2).map(|word| {
        let path = PathBuf::from(word);
        path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Where a file that is open cannot be removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_a_folder_at_a_time_and_leaves_nothing_where_nothing_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let claim = Claim::of(&path).unwrap();
        let error = Claim::of(&path).unwrap_err();
        assert!(matches!(&error, ClaimError::Taken { holder, .. } if holder.contains("process")), "{error}");
        drop(claim);
        assert!(!folder.path().join("a").exists());
        let mut claim = Claim::of(&path).unwrap();
        claim.keep();
        drop(claim);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
}
