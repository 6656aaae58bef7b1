//! A folder for results belongs to one process from before it computes until it has written: two runs never mix.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use super::{
    faults,
    outgoing::{self, is_at},
};

/// Stands in a folder as long as a process writes to it.
const LOCK: &str = ".gia-gpu.lock";
/// Folders of one name that are tried.
const MOST: usize = 10_000;

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process is writing to the folder.
    #[error("{} is taken: {holder} writes to it; give another folder, or wait", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Which one.
        holder: String,
    },
    /// The folder has results, and the user did not say to replace them.
    #[error("{} holds the results of an earlier run ({found}): give another folder, or --force to replace them", path.display())]
    Finished {
        /// The folder.
        path: PathBuf,
        /// The file that shows it.
        found: String,
    },
    /// All numbered folders are there already.
    #[error("{}, {}-2 … {}-{MOST} are all there: give another folder", path.display(), path.display(), path.display())]
    NoneFree {
        /// The folder without a number.
        path: PathBuf,
    },
    /// The disk is full, or the folder may not be written to.
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

impl ClaimError {
    /// Whether another folder is to be given, as opposed to a failure.
    pub fn is_misuse(&self) -> bool {
        !matches!(self, ClaimError::Unwritable { .. })
    }
}

/// What a numbered destination ends in.
const NUMBERED: &str = "[-N]";

/// Where results go, as `--out` writes it: a folder, or `out[-N]`, the first of `out`, `out-2`, … that is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Of the folder, without a number.
    pub path: PathBuf,
    /// The path, or the first with a number behind it that is free.
    pub numbered: bool,
}

impl From<OsString> for Destination {
    fn from(text: OsString) -> Self {
        match text.to_str().and_then(|text| text.strip_suffix(NUMBERED)) {
            Some(path) if !path.is_empty() => Destination { path: path.into(), numbered: true },
            _ => Destination { path: text.into(), numbered: false },
        }
    }
}

impl Destination {
    /// `finished`: files that say that a run has ended there; none of them may be there, unless by `force`.
    ///
    /// # Errors
    /// What [`Claim::of`] and [`Claim::first_free`] refuse.
    pub fn claim(&self, finished: &[&str], force: bool) -> Result<Claim, ClaimError> {
        match self.numbered {
            true => Claim::first_free(&self.path),
            false => Claim::of(&self.path, if force { &[] } else { finished }),
        }
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
    /// This folder, which is made if needed. `finished`: files that say that a run has ended here; none of them may be
    /// there.
    ///
    /// # Errors
    /// Another process has it; it holds finished results; it cannot be written to.
    pub fn of(path: &Path, finished: &[&str]) -> Result<Claim, ClaimError> {
        if let Some(found) = finished.iter().find(|name| path.join(name).exists()) {
            return Err(ClaimError::Finished { path: path.into(), found: (*found).into() });
        }
        let unwritable = |cause| ClaimError::Unwritable { path: path.into(), cause };
        let missing = path.ancestors().filter(|a| !a.as_os_str().is_empty() && !a.exists()).last();
        let made = missing.map(Path::to_path_buf);
        outgoing::make_folder(path).map_err(unwritable)?;
        let claim = Claim { path: path.into(), lock: lock(path)?, made };
        // It may have ended between the two.
        match finished.iter().find(|name| path.join(name).exists()) {
            Some(found) => Err(ClaimError::Finished { path: path.into(), found: (*found).into() }),
            None => Ok(claim),
        }
    }

    /// The first of `path`, `path-2`, `path-3`, … that is not there yet, or holds nothing.
    ///
    /// # Errors
    /// It cannot be made, or there are too many.
    pub fn first_free(path: &Path) -> Result<Claim, ClaimError> {
        let unwritable = |path: &Path, cause| ClaimError::Unwritable { path: path.into(), cause };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            outgoing::make_folder(parent).map_err(|cause| unwritable(parent, cause))?;
        }
        for number in 1..=MOST {
            let candidate = match number {
                1 => path.to_path_buf(),
                n => PathBuf::from(format!("{}-{n}", path.display())),
            };
            // Of two processes, one makes it.
            match faults::step().and_then(|()| fs::create_dir(&candidate)) {
                Ok(()) => {}
                // What a kill left of a run that had written nothing is as free.
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    if !is_left(&candidate) {
                        continue;
                    }
                }
                Err(cause) => return Err(unwritable(&candidate, cause)),
            }
            match lock(&candidate) {
                Ok(lock) => {
                    let claim = Claim { path: candidate.clone(), lock, made: Some(candidate) };
                    // Another may have written between the two.
                    if is_left(claim.path()) {
                        return Ok(claim);
                    }
                }
                Err(ClaimError::Taken { .. }) => {}
                // Another has taken its folder away again.
                Err(ClaimError::Unwritable { .. }) if !candidate.exists() => {}
                Err(error) => return Err(error),
            }
        }
        Err(ClaimError::NoneFree { path: path.into() })
    }

    /// Of the folder that was claimed.
    pub fn path(&self) -> &Path {
        &self.path
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

/// Whether a folder holds nothing but what a run leaves that has written nothing.
fn is_left(folder: &Path) -> bool {
    let is_ours = |name: &OsStr| name == LOCK || outgoing::is_partial(name);
    fs::read_dir(folder)
        .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| is_ours(&entry.file_name()))))
}

/// A file that no other process writes until this is dropped.
#[derive(Debug)]
pub struct FileClaim {
    path: PathBuf,
    lock: File,
}

impl FileClaim {
    /// This file, which need not exist; its folder must.
    ///
    /// # Errors
    /// Another process has it; the folder cannot be written to.
    pub fn of(path: &Path) -> Result<FileClaim, ClaimError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = path.with_file_name(format!(".{name}{LOCK}"));
        Ok(FileClaim { lock: lock_at(&place, path)?, path: place })
    }
}

impl Drop for FileClaim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = self.lock.unlock();
    }
}

fn lock(folder: &Path) -> Result<File, ClaimError> {
    lock_at(&folder.join(LOCK), folder)
}

/// The lock at `path` for what is to be written.
fn lock_at(path: &Path, what: &Path) -> Result<File, ClaimError> {
    let unwritable = |cause| ClaimError::Unwritable { path: what.into(), cause };
    loop {
        faults::step().map_err(unwritable)?;
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            // A file system without locks: nobody can be kept out.
            Err(TryLockError::Error(cause)) if cause.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(1 << 12).read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another process".into() } else { holder };
                return Err(ClaimError::Taken { path: what.into(), holder });
            }
            Err(TryLockError::Error(cause)) => return Err(unwritable(cause)),
        }
        // Who had it may have removed it between the two.
        if !is_at(&file, path) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_a_folder_at_a_time_and_leaves_nothing_where_nothing_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let claim = Claim::of(&path, &[]).unwrap();
        let error = Claim::of(&path, &[]).unwrap_err();
        assert!(matches!(&error, ClaimError::Taken { holder, .. } if holder.contains("process")), "{error}");
        drop(claim);
        assert!(!folder.path().join("a").exists());
        let mut claim = Claim::of(&path, &[]).unwrap();
        claim.keep();
        drop(claim);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }

    #[test]
    fn a_file_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let claim = FileClaim::of(&path).unwrap();
        let error = FileClaim::of(&path).unwrap_err();
        assert!(matches!(&error, ClaimError::Taken { path: taken, .. } if *taken == path), "{error}");
        drop(claim);
        assert!(FileClaim::of(&path).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn finished_results_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("report.json"), "{}").unwrap();
        let error = Claim::of(folder.path(), &["report.json"]).unwrap_err().to_string();
        assert!(error.contains("report.json") && error.contains("--force"), "{error}");
        assert!(Claim::of(folder.path(), &[]).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_that_start_together_each_has_a_folder_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let claims: Vec<Claim> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| Claim::first_free(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut paths: Vec<&Path> = claims.iter().map(Claim::path).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), 16);
        assert!(path.exists() && folder.path().join("out-16").exists());
        drop(claims);
        // What a kill left of a run that had written nothing.
        fs::create_dir(&path).unwrap();
        fs::write(path.join(LOCK), "").unwrap();
        assert_eq!(Claim::first_free(&path).unwrap().path(), path);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine"), "").unwrap();
        assert!(Claim::first_free(&path).unwrap().path().ends_with("out-2"));
    }
}
