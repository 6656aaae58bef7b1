//! Who holds a journal where the file system has no locks, as some of clusters have: a file beside it with a name and an
//! end, renewed while its holder lives. What a killed task leaves behind ends by itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::data::atomic;

/// A holder that has not renewed it for so long is dead.
const LASTS: Duration = Duration::from_secs(600);
const RENEWED: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Holder {
    host: String,
    process: u32,
    /// Seconds since 1970.
    until: u64,
}

/// Given back when it is dropped.
pub(crate) struct Lease {
    path: Arc<PathBuf>,
    /// Dropped, it ends the thread that renews.
    renewing: Option<(Sender<()>, thread::JoinHandle<()>)>,
}

impl Lease {
    /// `None`: another process, here or elsewhere, holds it.
    pub(crate) fn take(journal: &Path) -> io::Result<Option<Lease>> {
        let path = journal.with_extension("lease");
        if let Ok(bytes) = fs::read(&path) {
            // A holder whose words cannot be read is dead, or is just writing: its time tells.
            let until = match serde_json::from_slice::<Holder>(&bytes) {
                Ok(holder) => UNIX_EPOCH + Duration::from_secs(holder.until),
                Err(_) => fs::metadata(&path)?.modified()? + LASTS,
            };
            if until > SystemTime::now() {
                return Ok(None);
            }
            fs::remove_file(&path)?;
        }
        // Of several that find it free one makes the file.
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            made => drop(made?),
        }
        write(&path)?;
        let path = Arc::new(path);
        let (stop, stopped) = channel::<()>();
        let own = Arc::clone(&path);
        let renew = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(RENEWED) {
                // Should the disk be full, there are some minutes left for the next try.
                let _ = write(&own);
            }
        };
        Ok(Some(Lease { path, renewing: Some((stop, thread::spawn(renew))) }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.renewing.take() {
            drop(stop);
            let _ = thread.join();
        }
        let _ = fs::remove_file(&*self.path);
    }
}

fn write(path: &Path) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string();
    let holder = Holder { host, process: process::id(), until: (now + LASTS).as_secs() };
    let text = serde_json::to_vec(&holder).map_err(io::Error::other)?;
    atomic::write_bytes(path, &text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_a_dead_holder_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal-001-of-002.jsonl");
        let lease = Lease::take(&journal).unwrap().unwrap();
        assert!(Lease::take(&journal).unwrap().is_none());
        drop(lease);
        let path = journal.with_extension("lease");
        assert!(!path.exists());
        let dead = Holder { host: "elsewhere".into(), process: 1, until: 1_000 };
        fs::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
        assert!(Lease::take(&journal).unwrap().is_some());
        // Half a file is somebody who begins.
        fs::write(&path, "{").unwrap();
        assert!(Lease::take(&journal).unwrap().is_none());
    }
}
