//! The one door for files that go out: each is written under a temporary name in its folder, then renamed, so that it appears
//! whole or not at all. What a kill left of earlier ones goes when a process first writes into the folder.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use tempfile::{NamedTempFile, TempDir};

use super::faults;

/// Begins the name of a file, or a folder, that is not finished.
pub const PARTIAL: &str = ".gia-gpu-partial-";

/// A file on its way: deleted when it is dropped, at its place once it is [kept](Outgoing::keep).
#[derive(Debug)]
pub struct Outgoing {
    file: NamedTempFile,
    path: PathBuf,
}

impl Outgoing {
    /// Begins the file of this path, whose folder must exist. Readable by whom the user's umask says.
    pub fn new(path: &Path) -> io::Result<Outgoing> {
        let folder = folder_of(path);
        clean_once(folder);
        let file = loop {
            faults::step()?;
            let mut builder = tempfile::Builder::new();
            builder.prefix(PARTIAL);
            // `tempfile`'s own default is the owner alone.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            let file = builder.tempfile_in(folder)?;
            // Who cleans takes the lock before it removes a file, and may have come between the two. Where there are no locks
            // nothing is cleaned either.
            let _ = file.as_file().lock();
            if is_at(file.as_file(), file.path()) {
                break file;
            }
        };
        Ok(Outgoing { file, path: path.into() })
    }

    /// What is written is on the disk when this returns.
    pub fn sync(&self) -> io::Result<()> {
        faults::step()?;
        self.file.as_file().sync_all()
    }

    /// At its place, instead of what was there.
    pub fn keep(self) -> io::Result<()> {
        faults::step()?;
        self.file.persist(&self.path).map(drop).map_err(|failed| failed.error)
    }

    /// At its place, unless something is there.
    pub fn keep_new(self) -> io::Result<()> {
        faults::step()?;
        self.file.persist_noclobber(&self.path).map(drop).map_err(|failed| failed.error)
    }
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        faults::step()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A whole file.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Outgoing::new(path)?;
    file.write_all(bytes)?;
    file.keep()
}

/// A folder in which others are put together; it goes when it is dropped.
pub fn stage(folder: &Path) -> io::Result<TempDir> {
    faults::step()?;
    tempfile::Builder::new().prefix(PARTIAL).tempdir_in(folder)
}

/// Gives a file or folder another name, replacing a file that has it.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::step()?;
    fs::rename(from, to)
}

/// Deletes a file.
pub fn remove(file: &Path) -> io::Result<()> {
    faults::step()?;
    fs::remove_file(file)
}

/// A folder with all that it holds.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    faults::step()?;
    fs::remove_dir_all(folder)
}

/// A folder and those above it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    faults::step()?;
    fs::create_dir_all(path)
}

/// The folder of a file to be: of a bare name, the current one.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file that is open is still the one of this name.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Where a file that is open cannot be removed.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Folders that this process has cleaned.
static CLEANED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn clean_once(folder: &Path) {
    // What is put together in a folder of ours is new, and there may be many.
    let is_own = folder.components().any(|part| is_partial(part.as_os_str()));
    let mut cleaned = CLEANED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !is_own && cleaned.insert(folder.into()) {
        clean(folder);
    }
}

/// Removes files in a folder that a process left unfinished which has ended. Nothing depends on whether it can.
pub fn clean(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let partial = entries.flatten().filter(|entry| is_partial(&entry.file_name()));
    for path in partial.filter(|e| e.file_type().is_ok_and(|kind| kind.is_file())).map(|e| e.path()) {
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether a name is that of something unfinished.
pub(super) fn is_partial(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PARTIAL.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_kill_left_goes_with_the_next_file_and_what_is_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".gia-gpu-partial-left", "notes"] {
            File::create(at(name)).unwrap();
        }
        let held = Outgoing::new(&at("other")).unwrap();
        assert_eq!(names(folder.path()).len(), 2, "the other one, and the notes");
        File::create(at(".gia-gpu-partial-left")).unwrap();
        clean(folder.path());
        write(&at("result"), b"whole").unwrap();
        assert_eq!(names(folder.path()).len(), 3);
        drop(held);
        assert_eq!(names(folder.path()), ["notes", "result"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_readable_by_whom_the_umask_says() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        File::create(folder.path().join("plain")).unwrap();
        write(&folder.path().join("ours"), b"").unwrap();
        assert_eq!(mode("ours"), mode("plain"));
    }
}
