//! A sweep in shards: each computed on its own, and all put together.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Block, Blocks, Entry, Journal, Plan, Shard, SweepError, Swept, deal,
    folder::{Folder, make_folder},
    laboratory::Laboratory,
    shard_journals,
};
use crate::{
    clip::zero_shot::Namer,
    device::Device,
    watch::{Stage, Watch},
};

/// What became of a shard.
pub struct Sharded {
    /// Its own journal.
    pub journal: PathBuf,
    /// Blocks that are done, of how many.
    pub done: usize,
    /// Blocks of the shard.
    pub of: usize,
}

impl Plan<'_> {
    /// Computes the blocks of a shard that no journal in `out` holds yet, into the shard's own.
    ///
    /// # Errors
    /// As [`Plan::run`]; another task computes this shard.
    pub fn run_shard(
        &self,
        devices: &[&dyn Device],
        mut namer: Option<Namer>,
        shard: Shard,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<Sharded, SweepError> {
        let &[device, ..] = devices else { return Err(SweepError::Nothing { what: "devices of a sweep" }) };
        let configuration = self.configuration(&device.info(), namer.as_mut())?;
        make_folder(out)?;
        let path = out.join(shard.journal());
        let (mut journal, entries) = Journal::open::<Entry>(&path, &configuration, &self.sweep.command)?;
        let mut blocks = Blocks::default();
        for entry in entries {
            if let Entry::Block(attacked) = entry {
                blocks.add(*attacked, &path)?;
            }
        }
        let others: Vec<PathBuf> = shard_journals(out)?.into_iter().filter(|other| *other != path).collect();
        self.read_shards(&others, &configuration, &mut blocks)?;
        let own = shard.blocks(&self.blocks(), &self.costs()?);
        let missing: Vec<Block> = own.iter().filter(|block| blocks.get(block).is_none()).cloned().collect();
        let failed =
            self.attack_all(devices, &missing, own.len() - missing.len(), watch, &mut |attacked| {
                journal.append(&Entry::Block(Box::new(attacked.clone())))?;
                blocks.add(attacked, &path)
            })?;
        let count = failed.len();
        match failed.into_iter().next() {
            Some((cell, cause)) => Err(SweepError::Cells {
                failed: count,
                of: own.len(),
                cell: Box::new(cell),
                cause: Box::new(cause),
            }),
            None => Ok(Sharded { journal: path, done: blocks.count(&own), of: own.len() }),
        }
    }

    /// Puts the shards' journals in these folders together, into the first: what the unsharded sweep writes.
    ///
    /// # Errors
    /// No journal; one of another configuration or program; blocks that are missing, with the shard that owes them, or
    /// disagree.
    pub fn merge(
        &self,
        device: &dyn Device,
        mut namer: Option<Namer>,
        folders: &[PathBuf],
        watch: &dyn Watch,
    ) -> Result<Swept, SweepError> {
        let configuration = self.configuration(&device.info(), namer.as_mut())?;
        let mut paths = vec![];
        for folder in folders {
            let own = shard_journals(folder)?;
            if own.is_empty() {
                return Err(SweepError::NoShards { path: folder.clone() });
            }
            paths.extend(own);
        }
        let mut blocks = Blocks::default();
        self.read_shards(&paths, &configuration, &mut blocks)?;
        self.check_whole(&paths, &blocks)?;
        let model = namer.as_ref().map(Namer::model);
        let mut laboratory = Laboratory { plan: self, device, namer, notes: BTreeSet::new() };
        let stage = Stage::new(watch, "cells");
        let mut finished = vec![];
        for task in &self.tasks {
            stage.part(&task.cell.to_string(), finished.len(), self.tasks.len(), None);
            let all = blocks.all(&self.blocks_of(task)).unwrap_or_default();
            finished.push(laboratory.finish(task, &all, watch)?);
        }
        let folder = Folder { plan: self, out: &folders[0], configuration: &configuration, model };
        let written = folder.write(&finished.iter().collect::<Vec<_>>())?;
        let (assignment, together) = (self.sweep.naming_rule.assignment, self.sweep.together);
        Ok(Swept { configuration, finished, written, assignment, together })
    }

    /// Whether all blocks are there; else which are not, and whose they are.
    fn check_whole(&self, paths: &[PathBuf], blocks: &Blocks) -> Result<(), SweepError> {
        let all = self.blocks();
        let missing: Vec<&Block> = all.iter().filter(|block| blocks.get(block).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // The shards' names say of how many they are.
        let of = paths.iter().rev().find_map(|path| {
            let name = path.file_stem()?.to_string_lossy().into_owned();
            name.rsplit_once("-of-")?.1.parse::<usize>().ok()
        });
        let dealt =
            of.map(|of| Ok::<_, SweepError>(deal(&self.costs()?, of))).transpose()?.unwrap_or_default();
        let owner = |block: &Block| {
            let place = all.iter().position(|b| b == block)?;
            let number = 1 + dealt.iter().position(|places| places.contains(&place))?;
            Some(Shard { number, of: dealt.len() })
        };
        let told = |block: &&Block| {
            owner(block).map_or(block.to_string(), |shard| format!("{block} (shard {shard})"))
        };
        let mut list: Vec<String> = missing.iter().take(LISTED).map(told).collect();
        if missing.len() > LISTED {
            list.push(format!("{} more", missing.len() - LISTED));
        }
        Err(SweepError::Missing { missing: missing.len(), of: all.len(), list: list.join("; ") })
    }
}

/// Missing blocks that an error lists.
const LISTED: usize = 8;
