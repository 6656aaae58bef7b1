//! One file: fetched, resumed where a transfer broke off, checked, and only then given its name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    WeightsError,
    http::{Client, Said},
};
use crate::watch::{Stage, Watch};

/// Times that a broken transfer is taken up again, as long as something arrived each time.
const ATTEMPTS: usize = 4;
const CHUNK: usize = 1 << 16;

/// What a file must be.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    pub size: Option<u64>,
    /// Hexadecimal, and who says so.
    pub sha256: Option<(String, &'static str)>,
}

/// What a file was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The SHA-256, and who said what it should be.
    Hash(&'static str),
    /// Its length alone: nobody says a SHA-256.
    Size,
    Nothing,
}

#[derive(Clone, Debug)]
pub struct Fetched {
    pub size: u64,
    pub sha256: String,
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
    checks.sha256 = checks.sha256.or(said.sha256.clone().map(|hash| (hash, "the server says so")));

    let part = Part::open(target, &said, &checks)?;
    let mut done = part.length()?;
    let stage = Stage::new(watch, "downloading");
    for attempt in 1.. {
        match part.append(&client, url, done, checks.size, &stage) {
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
    let mut source = File::open(from).map_err(failed(from))?;
    let part = Part::open(target, &Said::default(), checks)?;
    part.truncate()?;
    io::copy(&mut source, &mut &part.file).map_err(failed(&part.path))?;
    part.finish(target, &from.display().to_string(), checks)
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
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
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
        self.file.set_len(0).map_err(|cause| self.failed(cause))
    }

    /// Asks for what stands behind `have` bytes and writes what comes.
    fn append(
        &self,
        client: &Client,
        url: &str,
        have: u64,
        size: Option<u64>,
        stage: &Stage,
    ) -> Result<(), WeightsError> {
        if have > 0 && size == Some(have) {
            return Ok(());
        }
        let response = client.get(url, have)?;
        let status = response.status().as_u16();
        let starts = response.headers().get("content-range").and_then(|value| value.to_str().ok());
        let goes_on = starts.is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
        let mut done = match status {
            206 if goes_on => have,
            // The server does not go along with ranges, or there is nothing behind what we have: from the start.
            200 => {
                self.truncate()?;
                0
            }
            206 | 416 if have > 0 => {
                self.truncate()?;
                return self.append(client, url, 0, size, stage);
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
            file.write_all(&chunk[..read]).map_err(|cause| self.failed(cause))?;
            done += read as u64;
            if size.is_some_and(|size| done > size) {
                break;
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
        let sha256 = self.hash()?;
        let wrong = match (&checks.size, &checks.sha256) {
            (Some(expected), _) if *expected != size => {
                Some(WeightsError::Size { from: from.into(), found: size, expected: *expected })
            }
            (_, Some((expected, by))) if *expected != sha256 => {
                let (from, found, expected) = (from.into(), sha256.clone(), expected.clone());
                Some(WeightsError::Hash { from, found, expected, by })
            }
            _ => None,
        };
        if let Some(error) = wrong {
            fs::remove_file(&self.path).map_err(|cause| self.failed(cause))?;
            return Err(error);
        }
        self.file.sync_all().map_err(|cause| self.failed(cause))?;
        fs::rename(&self.path, target).map_err(|cause| WeightsError::File { path: target.into(), cause })?;
        let checked = match (&checks.sha256, checks.size) {
            (Some((_, by)), _) => Checked::Hash(by),
            (None, Some(_)) => Checked::Size,
            (None, None) => Checked::Nothing,
        };
        Ok(Fetched { size, sha256, checked })
    }

    fn hash(&self) -> Result<String, WeightsError> {
        let mut file = &self.file;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        file.seek(SeekFrom::Start(0)).map_err(|cause| self.failed(cause))?;
        loop {
            match file.read(&mut chunk).map_err(|cause| self.failed(cause))? {
                0 => break,
                read => hash.update(&chunk[..read]),
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
