//! The folder of checkpoints, and who writes what into it when.

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{CheckpointError, Identity, Kept};
use crate::files::{incoming, outgoing};

/// The attacks of one process. Nothing is written before [`every`](Checkpoints::new) has passed or an attack is told to
/// stop.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    every: Duration,
    program: String,
    resume: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// That have begun.
    attacks: usize,
    /// An attack was told to stop: what begins later is none of its course.
    stopped: bool,
    saved: Instant,
    /// What is complete and not written yet.
    waiting: Vec<(PathBuf, Vec<u8>)>,
    problem: Option<CheckpointError>,
}

/// What an attack is, and how many trials its rounds have.
#[derive(Serialize, Deserialize)]
struct Header {
    attack: Identity,
    round: usize,
}

/// One attack, see [`Checkpoints::begin`].
#[derive(Clone, Copy, Debug)]
pub struct Attack<'k> {
    store: &'k Checkpoints,
    number: usize,
    /// Trials of a round, as the attack was begun with.
    pub round: usize,
}

/// The stages of one round.
#[derive(Debug)]
pub struct RoundCheckpoint<'k> {
    attack: Attack<'k>,
    round: usize,
    closed: AtomicBool,
}

/// One stage of a round.
#[derive(Debug)]
pub struct StageCheckpoint<'l> {
    of_round: &'l RoundCheckpoint<'l>,
    path: PathBuf,
}

impl Checkpoints {
    /// `program`: what tells this build from others. `resume`: go on from what lies in the folder; without it, what
    /// lies there is replaced.
    pub fn new(folder: &Path, every: Duration, program: String, resume: bool) -> Checkpoints {
        let state =
            State { attacks: 0, stopped: false, saved: Instant::now(), waiting: vec![], problem: None };
        Checkpoints { folder: folder.into(), every, program, resume, state: Mutex::new(state) }
    }

    /// The next attack of this process, in rounds of so many trials unless it was begun with others.
    ///
    /// # Errors
    /// What lies in the folder is another attack.
    pub fn begin(&self, attack: Identity, round: usize) -> Result<Attack<'_>, CheckpointError> {
        let attack = attack.with("the program (SHA-256)", &self.program);
        let mut state = self.state();
        state.attacks += 1;
        let number = state.attacks;
        let path = self.folder.join(format!("attack-{number:03}.json"));
        if self.resume && path.exists() {
            let bytes = read(&path)?;
            let Header { attack: earlier, round } = serde_json::from_slice(&bytes).map_err(|error| {
                CheckpointError::Damaged { path: path.clone(), problem: error.to_string() }
            })?;
            if let Some((what, was, is)) = attack.difference(&earlier) {
                return Err(CheckpointError::Other { path, what, was, is });
            }
            return Ok(Attack { store: self, number, round });
        }
        if !state.stopped {
            let header = serde_json::to_vec_pretty(&Header { attack, round }).expect("plain data");
            state.waiting.push((path, header));
        }
        Ok(Attack { store: self, number, round })
    }

    /// The work has ended: what was interrupted is written out, what is complete needs no checkpoints any more.
    ///
    /// # Errors
    /// One that could not be written, now or before.
    pub fn end(&self, interrupted: bool) -> Result<(), CheckpointError> {
        let mut state = self.state();
        if interrupted {
            self.write_waiting(&mut state);
            return state.problem.take().map_or(Ok(()), Err);
        }
        match outgoing::remove_folder(&self.folder) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(CheckpointError::Unwritable { path: self.folder.clone(), cause })
            }
            _ => Ok(()),
        }
    }

    /// Whether there is something to go on from.
    pub fn exists(folder: &Path) -> bool {
        folder.join("attack-001.json").exists()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_waiting(&self, state: &mut State) {
        for (path, bytes) in std::mem::take(&mut state.waiting) {
            if let Err(error) = self.write(&path, &bytes) {
                // The attack itself goes on: its end says so.
                state.problem.get_or_insert(error);
            }
        }
        state.saved = Instant::now();
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
        outgoing::make_folder(&self.folder)
            .and_then(|()| outgoing::write(path, bytes))
            .map_err(|cause| CheckpointError::Unwritable { path: path.into(), cause })
    }
}

impl<'k> Attack<'k> {
    /// The attack's round of this number, from 0.
    pub fn of_round(self, round: usize) -> RoundCheckpoint<'k> {
        RoundCheckpoint { attack: self, round, closed: AtomicBool::new(self.store.state().stopped) }
    }
}

impl RoundCheckpoint<'_> {
    /// The round's stage of this number, from 0.
    pub fn of_stage(&self, stage: usize) -> StageCheckpoint<'_> {
        let Attack { store, number, .. } = self.attack;
        let name = format!("attack-{number:03}-round-{:03}-stage-{}.cbor", self.round + 1, stage + 1);
        StageCheckpoint { of_round: self, path: store.folder.join(name) }
    }
}

impl StageCheckpoint<'_> {
    fn store(&self) -> &Checkpoints {
        self.of_round.attack.store
    }

    fn is_closed(&self) -> bool {
        self.of_round.closed.load(Ordering::Relaxed)
    }

    /// What an earlier process left.
    pub(in crate::attack) fn kept(&self) -> Result<Option<Kept>, CheckpointError> {
        if !self.store().resume || self.is_closed() || !self.path.exists() {
            return Ok(None);
        }
        let bytes = read(&self.path)?;
        let damaged = |error: ciborium::de::Error<std::io::Error>| CheckpointError::Damaged {
            path: self.path.clone(),
            problem: error.to_string(),
        };
        ciborium::from_reader(&bytes[..]).map(Some).map_err(damaged)
    }

    /// Whether it is time to write.
    pub(in crate::attack) fn is_due(&self) -> bool {
        !self.is_closed() && self.store().state().saved.elapsed() >= self.store().every
    }

    /// Writes where it stands.
    pub(in crate::attack) fn save(&self, kept: &Kept) {
        self.put(kept, true);
    }

    /// Writes where it stands when it was told to stop: the stages after it count no more.
    pub(in crate::attack) fn stop(&self, kept: &Kept) {
        self.put(kept, true);
        self.of_round.closed.store(true, Ordering::Relaxed);
        self.store().state().stopped = true;
    }

    /// Keeps what it came to.
    pub(in crate::attack) fn complete(&self, kept: &Kept) {
        self.put(kept, false);
    }

    fn put(&self, kept: &Kept, now: bool) {
        if self.is_closed() {
            return;
        }
        let mut bytes = vec![];
        if let Err(error) = ciborium::into_writer(kept, &mut bytes) {
            let problem = CheckpointError::Damaged { path: self.path.clone(), problem: error.to_string() };
            self.store().state().problem.get_or_insert(problem);
            return;
        }
        let store = self.store();
        let mut state = store.state();
        state.waiting.push((self.path.clone(), bytes));
        if now || state.saved.elapsed() >= store.every {
            store.write_waiting(&mut state);
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    incoming::read(path, u64::MAX).map_err(|cause| CheckpointError::Unreadable { path: path.into(), cause })
}
