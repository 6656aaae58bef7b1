//! Which tile suits which contraction on one adapter: timed once, remembered on disk.
//!
//! No tile changes a result, so neither does what is remembered, nor noise in the times.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Tile, store};
use crate::device::DeviceError;

/// The tiles chosen so far, by the description of their contraction.
pub struct Tuner {
    /// Adapter, driver, and version of this crate: what a time depends on.
    identity: String,
    file: Option<PathBuf>,
    chosen: Mutex<Chosen>,
}

#[derive(Default)]
struct Chosen {
    tiles: BTreeMap<String, String>,
    /// True if the file lacks some of them.
    changed: bool,
}

/// What is on the disk.
#[derive(Serialize, Deserialize)]
struct Remembered {
    adapter: String,
    tiles: BTreeMap<String, String>,
}

impl Tuner {
    /// `adapter` names the adapter and its driver. What `folder` remembers of exactly these is used; a file
    /// that is broken or of another adapter, driver or version of this crate counts for nothing.
    pub fn open(adapter: &str, folder: Option<&Path>) -> Self {
        let identity = format!("{adapter}, gia-gpu {}", env!("CARGO_PKG_VERSION"));
        let file = folder.map(|folder| folder.join(store::file_name("tiles", &identity, "json")));
        let tiles = file.as_deref().and_then(|file| recall(file, &identity)).unwrap_or_default();
        Tuner { identity, file, chosen: Mutex::new(Chosen { tiles, changed: false }) }
    }

    /// The tile for a shape: as remembered, else the fastest of the candidates, the first of equals. A
    /// candidate that cannot be timed is left out; none if there are no candidates or none can be timed.
    pub fn choose(
        &self,
        shape: &str,
        candidates: &[Tile],
        time: &mut dyn FnMut(Tile) -> Result<Duration, DeviceError>,
    ) -> Option<Tile> {
        if let &[] | &[_] = candidates {
            return candidates.first().copied();
        }
        let known = self.chosen().tiles.get(shape).and_then(|name| Tile::named(name));
        if let Some(tile) = known.filter(|tile| candidates.contains(tile)) {
            return Some(tile);
        }
        let timed = candidates.iter().filter_map(|&tile| Some((tile, time(tile).ok()?)));
        let (fastest, _) = timed.min_by_key(|&(_, taken)| taken)?;
        let mut chosen = self.chosen();
        chosen.tiles.insert(shape.into(), fastest.name());
        chosen.changed = true;
        Some(fastest)
    }

    /// Adds what is new to the file. A folder that cannot be written is no error: the next run measures again.
    pub fn save(&self) {
        let (Some(file), mut chosen) = (&self.file, self.chosen()) else { return };
        if !chosen.changed {
            return;
        }
        // Another process may have added to it.
        let mut tiles = recall(file, &self.identity).unwrap_or_default();
        tiles.extend(chosen.tiles.clone());
        let remembered = Remembered { adapter: self.identity.clone(), tiles };
        if let Ok(bytes) = serde_json::to_vec_pretty(&remembered)
            && store::write(file, &bytes).is_ok()
        {
            chosen.changed = false;
        }
    }

    fn chosen(&self) -> MutexGuard<'_, Chosen> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn recall(file: &Path, identity: &str) -> Option<BTreeMap<String, String>> {
    let remembered: Remembered = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (remembered.adapter == identity).then_some(remembered.tiles)
}
