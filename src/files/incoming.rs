//! The one door for files that come in. What is at a path is judged before a byte of it is read: a pipe would block, a
//! device may never end, and a file can be larger than memory.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use super::limits;

/// The most bytes of a text that somebody wrote: names, options, threat models, descriptions of models.
pub const TEXT: u64 = 64 << 20;
/// The most bytes of a picture's file.
pub const PICTURE: u64 = 1 << 30;

/// A regular file, opened, with its length.
///
/// # Errors
/// Also a folder, and a pipe, socket or device, behind a link too.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    // Opening a pipe blocks until somebody writes to it.
    check_kind(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    check_kind(&metadata)?;
    Ok((file, metadata.len()))
}

fn check_kind(metadata: &fs::Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let found = if kind.is_dir() { "a folder" } else { "a pipe, socket or device" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a regular file, found {found}")))
}

/// All of a file of at most `most` bytes, and of no more than fit into memory.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open(path)?;
    let most = most.min(limits::memory());
    let too_large = |found: String| {
        io::Error::new(io::ErrorKind::FileTooLarge, format!("expected at most {most} bytes, found {found}"))
    };
    if length > most {
        return Err(too_large(length.to_string()));
    }
    let mut bytes = vec![];
    bytes.try_reserve_exact(length as usize).map_err(|_| too_large(length.to_string()))?;
    // It may have grown since.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large("more".into()));
    }
    Ok(bytes)
}

/// A text of at most [`TEXT`] bytes.
pub fn read_text(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path, TEXT)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "expected UTF-8 text, found other bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_the_expected_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        fs::write(&path, "abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert_eq!(read_text(&path).unwrap(), "abc");
        let error = read(&path, 2).unwrap_err().to_string();
        assert!(error.contains("at most 2 bytes") && error.contains("found 3"), "{error}");
        assert!(read(folder.path(), 9).unwrap_err().to_string().contains("a folder"));
        fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path).unwrap_err().to_string().contains("UTF-8"));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_behind_a_link_and_a_pipe_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("zeros");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(read(&link, 9).unwrap_err().to_string().contains("device"));
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(open(&pipe).unwrap_err().to_string().contains("pipe"));
        }
    }
}
