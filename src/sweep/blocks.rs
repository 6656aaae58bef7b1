//! All that is known of a sweep's blocks: in the folder's own journal, and in those of shards.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Attacked, Block, Configuration, Finished, Journal, Plan, SweepError};
use crate::data::DataError;

/// A line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A block was attacked.
    Block(Box<Attacked>),
    /// A cell's blocks are all there: what they come to.
    Cell(Box<Finished>),
}

/// What decides results in a shard: all but the device, which may differ and is recorded with every block.
pub(crate) const DEVICE: &str = "--device";

/// Blocks by what they are; of a block that several computed, one.
#[derive(Debug, Default)]
pub struct Blocks(BTreeMap<Block, (Attacked, PathBuf)>);

impl Blocks {
    /// Takes a block that `path` holds. Computed twice on one device it must be the same; of two devices the first by name counts.
    ///
    /// # Errors
    /// [`SweepError::Disagree`]
    pub fn add(&mut self, attacked: Attacked, path: &Path) -> Result<(), SweepError> {
        match self.0.get(&attacked.block) {
            Some((known, other)) if known.device == attacked.device && !known.agrees(&attacked) => {
                return Err(SweepError::Disagree {
                    block: Box::new(attacked.block),
                    first: other.clone(),
                    second: path.to_owned(),
                });
            }
            Some((known, _)) if known.device <= attacked.device => return Ok(()),
            _ => {}
        }
        self.0.insert(attacked.block.clone(), (attacked, path.to_owned()));
        Ok(())
    }

    /// What an attack on this block came to, if it is done.
    pub fn get(&self, block: &Block) -> Option<&Attacked> {
        self.0.get(block).map(|(attacked, _)| attacked)
    }

    /// All of them, if they are there.
    pub fn all<'b>(&'b self, blocks: &[Block]) -> Option<Vec<&'b Attacked>> {
        blocks.iter().map(|block| self.get(block)).collect()
    }

    /// How many of these are there.
    pub fn count(&self, blocks: &[Block]) -> usize {
        blocks.iter().filter(|block| self.0.contains_key(block)).count()
    }
}

/// The journals of shards in a folder, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn shard_journals(folder: &Path) -> Result<Vec<PathBuf>, SweepError> {
    let unreadable = |cause| DataError::Unreadable { path: folder.to_owned(), cause };
    if !folder.exists() {
        return Ok(vec![]);
    }
    let entries =
        fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
    let is_journal = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("journal-") && name.ends_with(".jsonl") && name.contains("-of-")
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_journal).collect();
    paths.sort();
    Ok(paths)
}

impl Plan<'_> {
    /// Takes the blocks of these shards' journals, which others may be writing to: lines that are whole count.
    ///
    /// # Errors
    /// A journal of another configuration, the device aside; a block that is none of the sweep's; blocks that disagree.
    pub fn read_shards(
        &self,
        paths: &[PathBuf],
        configuration: &Configuration,
        blocks: &mut Blocks,
    ) -> Result<(), SweepError> {
        let all = self.blocks();
        for path in paths {
            for entry in Journal::read::<Entry>(path, configuration, &[DEVICE])? {
                if let Entry::Block(attacked) = entry {
                    if !all.contains(&attacked.block) {
                        return Err(SweepError::OtherCell {
                            path: path.clone(),
                            cell: Box::new(attacked.block.cell),
                        });
                    }
                    blocks.add(*attacked, path)?;
                }
            }
        }
        Ok(())
    }
}
