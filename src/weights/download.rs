//! One file: fetched, resumed where a transfer broke off, checked, and only then given its name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Content, WeightsError,
    http::{Client, Said},
};
use crate::{
    files::{faults, outgoing},
    watch::{Stage, Watch},
};

/// Times that a broken transfer is taken up again, as long as something arrived each time.
const ATTEMPTS: usize = 4;
const CHUNK: usize = 1 << 16;

/// What a file must be.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// In bytes; `None` where nobody says it.
    pub size: Option<u64>,
    /// Hexadecimal, and who says so.
    pub sha256: Option<(String, &'static str)>,
    /// What kind of file it must be.
    pub content: Content,
}

/// What a file was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The SHA-256, and who said what it should be.
    Hash(&'static str),
    /// Its length alone: nobody says a SHA-256.
    Size,
    /// With nothing: the server says neither.
    Nothing,
}

/// A file that is there now.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// In bytes.
    pub size: u64,
    /// Of its content, hexadecimal.
    pub sha256: String,
    /// What was known of it beforehand.
    pub checked: Checked,
}

/// `text` as a SHA-256.
pub fn parse_sha256(text: &str) -> Result<String, WeightsError> {
    match text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(text.to_lowercase()),
        false => Err(WeightsError::NoHash { found: text.into() }),
    }
}

/// Brings `url` to `target`, whose folder must exist. `watch` sees its bytes.
///
/// # Errors
/// [`WeightsError::Broken`] leaves what has arrived beside the target; the next call goes on from there, if the server
/// says that it is still the same file.
pub fn fetch(url: &str, target: &Path, checks: &Checks, watch: &dyn Watch) -> Result<Fetched, WeightsError> {
    let client = Client::new();
    let said = client.ask(url)?;
    if let (Some(expected), Some(found)) = (checks.size, said.size)
        && expected != found
    {
        return Err(WeightsError::Size { from: url.into(), found, expected });
    }
    let mut checks = checks.clone();
    checks.size = checks.size.or(said.size);
    let most = checks.content.most();
    if checks.size.is_some_and(|size| size > most) {
        return Err(WeightsError::Endless { from: url.into(), most });
    }
    checks.sha256 = checks.sha256.or(said.sha256.clone().map(|hash| (hash, "the server says so")));

    let part = Part::open(target, &said, &checks)?;
    let mut done = part.length()?;
    let stage = Stage::new(watch, "downloading");
    for attempt in 1.. {
        match part.append(&client, url, done, &checks, &said, &stage) {
            Ok(()) => break,
            Err(WeightsError::Broken { .. }) if attempt < ATTEMPTS && part.length()? > done => {
                done = part.length()?;
            }
            Err(error) => return Err(error),
        }
    }
    part.finish(target, url, &checks)
}

/// The same from a file on this machine.
pub fn fetch_copy(from: &Path, target: &Path, checks: &Checks) -> Result<Fetched, WeightsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| WeightsError::File { path: path.clone(), cause }
    };
    let is_file = fs::metadata(from).map_err(failed(from))?.is_file();
    if !is_file {
        let cause = io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file");
        return Err(failed(from)(cause));
    }
    let mut source = File::open(from).map_err(failed(from))?;
    let part = Part::open(target, &Said::default(), checks)?;
    part.truncate()?;
    faults::step().and_then(|()| io::copy(&mut source, &mut &part.file)).map_err(failed(&part.path))?;
    part.finish(target, &from.display().to_string(), checks)
}

/// Whether a file that is there is what it must be.
///
/// # Errors
/// It is no such file, or its SHA-256 is another one.
pub fn check_there(path: &Path, checks: &Checks) -> Result<(), WeightsError> {
    let failed = |cause| WeightsError::File { path: path.into(), cause };
    let file = File::open(path).map_err(failed)?;
    if let Err((expected, found)) = checks.content.judge(&file).map_err(failed)? {
        return Err(WeightsError::Damaged { path: path.into(), expected, found });
    }
    let Some((expected, by)) = &checks.sha256 else { return Ok(()) };
    let found = hash(&file).map_err(failed)?;
    match found == *expected {
        true => Ok(()),
        false => Err(WeightsError::There { path: path.into(), found, expected: expected.clone(), by }),
    }
}

fn hash(mut file: &File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hash.update(&chunk[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What has arrived so far, locked against a second download.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    /// The name carries what the server calls this version of the file: a part of another version is not gone on
    /// with. Without such a word there is nothing to go on with either.
    fn open(target: &Path, said: &Said, checks: &Checks) -> Result<Part, WeightsError> {
        let tag = checks.sha256.as_ref().map(|(hash, _)| hash).or(said.tag.as_ref());
        let version: String = tag
            .map(|tag| tag.chars().filter(char::is_ascii_alphanumeric).take(16).collect())
            .unwrap_or_default();
        let mut name = target.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{version}.part"));
        let path = target.with_file_name(name);
        let failed = |cause| WeightsError::File { path: path.clone(), cause };
        let file = faults::step().and_then(|()| {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)
        });
        let file = file.map_err(failed)?;
        if file.try_lock().is_err() {
            return Err(WeightsError::Busy { path });
        }
        let part = Part { path, file };
        if version.is_empty() {
            part.truncate()?;
        }
        Ok(part)
    }

    fn failed(&self, cause: io::Error) -> WeightsError {
        WeightsError::File { path: self.path.clone(), cause }
    }

    fn length(&self) -> Result<u64, WeightsError> {
        Ok(self.file.metadata().map_err(|cause| self.failed(cause))?.len())
    }

    fn truncate(&self) -> Result<(), WeightsError> {
        faults::step().and_then(|()| self.file.set_len(0)).map_err(|cause| self.failed(cause))
    }

    /// Asks for what stands behind `have` bytes and writes what comes.
    fn append(
        &self,
        client: &Client,
        url: &str,
        have: u64,
        checks: &Checks,
        before: &Said,
        stage: &Stage,
    ) -> Result<(), WeightsError> {
        let size = checks.size;
        if have > 0 && size == Some(have) {
            return Ok(());
        }
        // Nothing would tell that the file had changed since.
        let blind = before.tag.is_none() && checks.sha256.is_none();
        if have > 0 && blind {
            self.truncate()?;
            return self.append(client, url, 0, checks, before, stage);
        }
        let (response, said) = client.get(url, have, before.tag.as_deref())?;
        let status = response.status().as_u16();
        let starts = response.headers().get("content-range").and_then(|value| value.to_str().ok());
        let is_same = before.tag.is_none() || said.tag.is_none() || before.tag == said.tag;
        if !is_same {
            // What has arrived is of the one, or already of the other.
            self.truncate()?;
            return Err(WeightsError::Changed { url: url.into() });
        }
        let goes_on = starts.is_some_and(|range| {
            let total = range.rsplit_once('/').and_then(|(_, total)| total.parse::<u64>().ok());
            let fits = total.zip(size).is_none_or(|(total, size)| total == size);
            range.starts_with(&format!("bytes {have}-")) && fits
        });
        let mut done = match status {
            206 if goes_on => have,
            // The server does not go along with ranges, or there is nothing behind what we have: from the start.
            200 => {
                self.truncate()?;
                0
            }
            206 | 416 if have > 0 => {
                self.truncate()?;
                return self.append(client, url, 0, checks, before, stage);
            }
            status => return Err(WeightsError::Status { url: url.into(), status }),
        };
        let mut file = &self.file;
        file.seek(SeekFrom::Start(done)).map_err(|cause| self.failed(cause))?;
        let mut body = response.into_body().into_reader();
        let mut chunk = vec![0; CHUNK];
        let broken = |done, cause: String| WeightsError::Broken { url: url.into(), done, of: size, cause };
        loop {
            let read = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(cause) => return Err(broken(done, cause.to_string())),
            };
            let written = faults::step().and_then(|()| file.write_all(&chunk[..read]));
            written.map_err(|cause| self.failed(cause))?;
            done += read as u64;
            if size.is_some_and(|size| done > size) {
                break;
            }
            let most = checks.content.most();
            if done > most {
                self.truncate()?;
                return Err(WeightsError::Endless { from: url.into(), most });
            }
            stage.bytes(done, size);
        }
        match size {
            Some(size) if done < size => Err(broken(done, "the connection was closed".into())),
            _ => Ok(()),
        }
    }

    /// Checks the whole file and gives it its name; a wrong one is deleted.
    fn finish(self, target: &Path, from: &str, checks: &Checks) -> Result<Fetched, WeightsError> {
        let size = self.length()?;
        let failed = |cause| self.failed(cause);
        let sha256 = hash(&self.file).map_err(failed)?;
        let content = checks.content.judge(&self.file).map_err(failed)?;
        let wrong = match (&checks.size, &checks.sha256) {
            (Some(expected), _) if *expected != size => {
                Some(WeightsError::Size { from: from.into(), found: size, expected: *expected })
            }
            (_, Some((expected, by))) if *expected != sha256 => {
                let (from, found, expected) = (from.into(), sha256.clone(), expected.clone());
                Some(WeightsError::Hash { from, found, expected, by })
            }
            _ => content.err().map(|(expected, found)| WeightsError::Content {
                from: from.into(),
                expected,
                found,
            }),
        };
        if let Some(error) = wrong {
            outgoing::remove(&self.path).map_err(|cause| self.failed(cause))?;
            return Err(error);
        }
        self.file.sync_all().map_err(|cause| self.failed(cause))?;
        outgoing::rename(&self.path, target)
            .map_err(|cause| WeightsError::File { path: target.into(), cause })?;
        let checked = match (&checks.sha256, checks.size) {
            (Some((_, by)), _) => Checked::Hash(by),
            (None, Some(_)) => Checked::Size,
            (None, None) => Checked::Nothing,
        };
        Ok(Fetched { size, sha256, checked })
    }
}
