//! What is finished, on disk: a line a cell, whole or not there.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Configuration, SweepError, lease::Lease};
use crate::{
    data::DataError,
    files::{faults, incoming, outgoing},
};

const FORMAT: &str = "gia-gpu sweep 2";
/// What every line begins with.
const START: &str = "{\"crc32\":";

/// A file of JSON lines, each with a checksum of what it holds: first the sweep's configuration, then a record a
/// finished cell, in the order in which they were finished. A line counts once it is on the disk with its end; what a
/// kill or a full disk left of one is cut off when the file is opened next.
pub struct Journal {
    pub(super) path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// Held where the file system has no locks.
    _lease: Option<Lease>,
}

#[derive(Deserialize)]
struct Line {
    crc32: u32,
    record: Box<RawValue>,
}

#[derive(Serialize)]
struct LineOf<'a> {
    crc32: u32,
    record: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    configuration: Configuration,
    /// The program as called, and in which folder.
    command: Vec<String>,
    folder: String,
}

impl Journal {
    /// Opens or begins the journal of a sweep; with it the records that it holds. No other process can open it until it
    /// is dropped.
    ///
    /// # Errors
    /// [`SweepError::OtherConfiguration`], [`SweepError::Busy`], [`SweepError::Damaged`] for a line that was changed, and
    /// what the file system says.
    pub fn open<R: DeserializeOwned>(
        path: &Path,
        configuration: &Configuration,
        command: &[String],
    ) -> Result<(Journal, Vec<R>), SweepError> {
        let unreadable = |cause| DataError::Unreadable { path: path.to_owned(), cause };
        outgoing::clean(outgoing::folder_of(path));
        let opened =
            faults::step().and_then(|()| OpenOptions::new().read(true).append(true).create(true).open(path));
        let mut file = opened.map_err(|cause| DataError::Unwritable { path: path.to_owned(), cause })?;
        let busy = || SweepError::Busy { path: path.to_owned() };
        let lease = match file.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => return Err(busy()),
            // A file system without locks.
            Err(TryLockError::Error(cause)) if cause.kind() == io::ErrorKind::Unsupported => {
                Some(Lease::take(path).map_err(unreadable)?.ok_or_else(busy)?)
            }
            Err(TryLockError::Error(cause)) => return Err(unreadable(cause).into()),
        };
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let (lines, torn) = bytes.split_at(whole);
        if whole == 0 && !is_torn_line(torn) {
            let found = "something else".to_string();
            let expected = "the journal of a sweep".to_string();
            return Err(DataError::Malformed { path: path.to_owned(), expected, found }.into());
        }
        let mut journal = Journal { path: path.to_owned(), file, length: whole as u64, _lease: lease };
        if !torn.is_empty() {
            journal.cut().map_err(|cause| journal.unwritable(cause))?;
        }
        let mut lines = lines.split(|&b| b == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        match lines.next() {
            None => {
                let folder = std::env::current_dir().unwrap_or_default().display().to_string();
                let (format, command) = (FORMAT.to_string(), command.to_vec());
                let header = Header { format, configuration: configuration.clone(), command, folder };
                journal.append(&header)?;
                sync_folder(path).map_err(|cause| journal.unwritable(cause))?;
            }
            Some((number, line)) => {
                let header: Header = parse(path, number, line)?;
                if header.format != FORMAT {
                    let (expected, found) = (format!("format '{FORMAT}'"), format!("'{}'", header.format));
                    return Err(DataError::Malformed { path: path.to_owned(), expected, found }.into());
                }
                if let Some(difference) = configuration.difference(&header.configuration) {
                    return Err(SweepError::OtherConfiguration { path: path.to_owned(), difference });
                }
            }
        }
        let records = lines.map(|(number, line)| parse(path, number, line)).collect::<Result<_, _>>()?;
        Ok((journal, records))
    }

    /// The command that a journal was begun by, and in which folder.
    ///
    /// # Errors
    /// No journal of a sweep.
    pub fn command(path: &Path) -> Result<(Vec<String>, PathBuf), SweepError> {
        let bytes = incoming::read(path, u64::MAX)
            .map_err(|cause| DataError::Unreadable { path: path.to_owned(), cause })?;
        let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        let header: Header = parse(path, 0, line)?;
        Ok((header.command, header.folder.into()))
    }

    /// The records of a journal that another process may be writing to: the whole lines. Options of the configuration in
    /// `but` may differ.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn read<R: DeserializeOwned>(
        path: &Path,
        configuration: &Configuration,
        but: &[&str],
    ) -> Result<Vec<R>, SweepError> {
        let bytes = incoming::read(path, u64::MAX)
            .map_err(|cause| DataError::Unreadable { path: path.to_owned(), cause })?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let mut lines =
            bytes[..whole].split(|&b| b == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        let Some((number, line)) = lines.next() else { return Ok(vec![]) };
        let header: Header = parse(path, number, line)?;
        if header.format != FORMAT {
            let (expected, found) = (format!("format '{FORMAT}'"), format!("'{}'", header.format));
            return Err(DataError::Malformed { path: path.to_owned(), expected, found }.into());
        }
        let (ours, theirs) = (configuration.without(but), header.configuration.without(but));
        if let Some(difference) = ours.difference(&theirs) {
            return Err(SweepError::OtherConfiguration { path: path.to_owned(), difference });
        }
        lines.map(|(number, line)| parse(path, number, line)).collect()
    }

    /// Adds a record. When this returns it is on the disk; if it fails, the file is as it was.
    pub fn append(&mut self, record: &impl Serialize) -> Result<(), SweepError> {
        let line = line(record).map_err(|cause| self.unwritable(cause.into()))?;
        let written = faults::step()
            .and_then(|()| self.file.write_all(line.as_bytes()))
            .and_then(|()| faults::step())
            .and_then(|()| self.file.sync_data());
        if let Err(cause) = written {
            // Should this fail too, the next start cuts it off.
            let _ = self.cut();
            return Err(self.unwritable(cause));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Removes what stands behind the last whole line.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    fn unwritable(&self, cause: io::Error) -> SweepError {
        DataError::Unwritable { path: self.path.clone(), cause }.into()
    }
}

fn parse<R: DeserializeOwned>(path: &Path, number: usize, line: &[u8]) -> Result<R, SweepError> {
    let damaged = |problem: String| SweepError::Damaged { path: path.to_owned(), line: number + 1, problem };
    let line: Line = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
    let (found, record) = (checksum(line.record.get()), line.record);
    if found != line.crc32 {
        return Err(damaged(format!("its checksum is {found}, it says {}", line.crc32)));
    }
    serde_json::from_str(record.get()).map_err(|error| damaged(error.to_string()))
}

fn line(record: &impl Serialize) -> serde_json::Result<String> {
    let record = serde_json::value::to_raw_value(record)?;
    Ok(serde_json::to_string(&LineOf { crc32: checksum(record.get()), record: &record })? + "\n")
}

fn checksum(text: &str) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    crc.sum()
}

/// Whether this can be what is left of a journal's first line.
fn is_torn_line(bytes: &[u8]) -> bool {
    let common = bytes.len().min(START.len());
    bytes[..common] == START.as_bytes()[..common]
}

/// A new file is there after a power cut only if its folder is on the disk, too.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn configuration() -> Configuration {
        Configuration::default().with("--seeds", "1")
    }

    fn open(path: &Path) -> Result<(Journal, Vec<(usize, f64)>), SweepError> {
        Journal::open(path, &configuration(), &[])
    }

    fn written(records: &[(usize, f64)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (mut journal, found) = open(&path).unwrap();
        assert!(found.is_empty());
        records.iter().for_each(|record| journal.append(record).unwrap());
        (folder, path)
    }

    #[test]
    fn records_come_back_to_the_last_bit_and_more_can_follow() {
        let records = [(1, 0.1 + 0.2), (2, -1e-310), (3, f64::MAX)];
        let (_folder, path) = written(&records);
        let (mut journal, found) = open(&path).unwrap();
        assert_eq!(found, records);
        journal.append(&(4, 0.5)).unwrap();
        drop(journal);
        assert_eq!(open(&path).unwrap().1[3], (4, 0.5));
    }

    /// Whatever a kill leaves, all whole lines are kept and what follows them is written as if nothing had been there.
    #[test]
    fn a_file_cut_anywhere_keeps_its_whole_lines() {
        let records = [(1, 0.25), (2, 0.5)];
        let (_folder, path) = written(&records);
        let bytes = fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i] == b'\n').map(|i| i + 1).collect();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            let (mut journal, found) = open(&path).unwrap();
            let whole = ends.iter().filter(|&&end| end <= length).count().saturating_sub(1);
            assert_eq!(found, records[..whole], "cut to {length} bytes");
            records[whole..].iter().for_each(|record| journal.append(record).unwrap());
            drop(journal);
            assert_eq!(fs::read(&path).unwrap(), bytes, "cut to {length} bytes");
        }
    }

    #[test]
    fn a_changed_byte_is_found_and_its_line_named() {
        let (_folder, path) = written(&[(1, 0.25), (2, 0.5)]);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("[1,0.25]", "[1,0.75]")).unwrap();
        let error = open(&path).err().unwrap().to_string();
        assert!(error.contains("journal.jsonl, line 2: its checksum"), "{error}");
        fs::write(&path, text.replace("[2,0.5]", "")).unwrap();
        assert!(open(&path).err().unwrap().to_string().contains("line 3"));
    }

    #[test]
    fn other_files_and_other_configurations_are_refused_as_they_are() {
        let (_folder, path) = written(&[(1, 0.25)]);
        let before = fs::read(&path).unwrap();
        let other = Configuration::default().with("--seeds", "2");
        let error = Journal::open::<(usize, f64)>(&path, &other, &[]).err().unwrap().to_string();
        assert!(error.contains("--seeds was 1, now it is 2"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
        for text in ["my notes", "my notes\n"] {
            fs::write(&path, text).unwrap();
            assert!(open(&path).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn one_process_writes_at_a_time() {
        let (_folder, path) = written(&[]);
        let (journal, _) = open(&path).unwrap();
        assert!(matches!(open(&path), Err(SweepError::Busy { .. })));
        drop(journal);
        assert!(open(&path).is_ok());
    }
}
