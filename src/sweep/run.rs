//! From a plan to results: cell after cell, each on the disk when the next begins.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Block, Blocks, Configuration, Entry, Finished, Journal, Plan, Record, SweepError, Task,
    folder::{Folder, make_folder},
    laboratory::Laboratory,
    points, results, shard_journals, table,
    verdict::verdict,
};
use crate::{
    clip::zero_shot::Namer,
    device::Device,
    report::Verdict,
    semantic::Assignment,
    watch::{Stage, Watch},
};

/// What stands in the folder beside the results: all that is finished.
const JOURNAL: &str = "journal.jsonl";

/// What became of a sweep.
pub struct Swept {
    /// What decides the results.
    pub configuration: Configuration,
    /// In the order of the plan's tasks.
    pub finished: Vec<Finished>,
    /// Files that a person wants to look at.
    pub written: Vec<PathBuf>,
    /// What of the sweep decides how it is shown.
    pub(super) assignment: Assignment,
    pub(super) together: usize,
}

impl Swept {
    /// What each finished cell yields, in the order of the plan.
    pub fn cells(&self) -> Vec<&Record> {
        self.finished.iter().map(|f| &f.record).collect()
    }

    /// On all cells; `None` where none could be attacked.
    pub fn verdict(&self) -> Option<Verdict> {
        verdict(&self.cells())
    }

    /// For a person at a terminal: a row a batch size of every victim and defence, pooled over seeds.
    pub fn table(&self) -> String {
        table::table(&points::lines(&self.cells(), self.assignment), self.together)
    }
}

impl Plan<'_> {
    /// Computes what `out` does not hold yet; tables, plots and page are there after every cell. `namer`: what names
    /// the pictures, made for [`NAMED_AT_ONCE`](super::NAMED_AT_ONCE) of them; `None`: nothing is named.
    ///
    /// # Errors
    /// Results in the folder that are not this sweep's, what the file system says, and the first cell that failed, when
    /// all others are done and written.
    pub fn run(
        &self,
        devices: &[&dyn Device],
        mut namer: Option<Namer>,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<Swept, SweepError> {
        let (results, journal) = (out.join(results::RESULTS), out.join(JOURNAL));
        if results.exists() && !journal.exists() {
            return Err(SweepError::NoJournal { path: results });
        }
        let &[device, ..] = devices else { return Err(SweepError::Nothing { what: "devices of a sweep" }) };
        let configuration = self.configuration(&device.info(), namer.as_mut())?;
        make_folder(out)?;
        let model = namer.as_ref().map(Namer::model);
        let path = journal;
        let (mut journal, entries) = Journal::open(&path, &configuration, &self.sweep.command)?;
        let mut known = Known::default();
        for entry in entries {
            match entry {
                Entry::Block(attacked) => known.blocks.add(*attacked, &path)?,
                Entry::Cell(finished) => known.cells.push(*finished),
            }
        }
        self.read_shards(&shard_journals(out)?, &configuration, &mut known.blocks)?;
        if devices.len() > 1 {
            let all = self.blocks();
            let done = |block: &Block| {
                known.blocks.get(block).is_some() || known.cells.iter().any(|c| c.record.cell == block.cell)
            };
            let missing: Vec<Block> = all.iter().filter(|block| !done(block)).cloned().collect();
            let blocks = &mut known.blocks;
            // What failed is tried once more with its cell.
            self.attack_all(devices, &missing, all.len() - missing.len(), watch, &mut |attacked| {
                journal.append(&Entry::Block(Box::new(attacked.clone())))?;
                blocks.add(attacked, &path)
            })?;
        }
        let mut laboratory = Laboratory { plan: self, device, namer, notes: BTreeSet::new() };
        let folder = Folder { plan: self, out, configuration: &configuration, model };
        let (finished, failure) = self.measure(&mut laboratory, journal, known, &folder, watch)?;
        let all: Vec<&Finished> = finished.iter().collect();
        let written = match (all.is_empty(), failure) {
            (true, Some(failure)) => return Err(failure),
            // Stopped before the first cell.
            (true, None) => vec![],
            (_, failure) => {
                let written = folder.write(&all)?;
                failure.map_or(Ok(written), Err)?
            }
        };
        let (assignment, together) = (self.sweep.naming_rule.assignment, self.sweep.together);
        Ok(Swept { configuration, finished, written, assignment, together })
    }

    /// Computes what is not finished yet. With the finished cells what went wrong with others, if something did.
    fn measure(
        &self,
        laboratory: &mut Laboratory,
        mut journal: Journal,
        known: Known,
        folder: &Folder,
        watch: &dyn Watch,
    ) -> Result<(Vec<Finished>, Option<SweepError>), SweepError> {
        let of = self.tasks.len();
        let mut finished: Vec<Option<Finished>> = self.tasks.iter().map(|_| None).collect();
        let Known { cells, mut blocks } = known;
        for cell in cells {
            match self.tasks.iter().position(|task| task.cell == cell.record.cell) {
                Some(place) => finished[place] = Some(cell),
                None => {
                    return Err(SweepError::OtherCell {
                        path: folder.out.join(JOURNAL),
                        cell: Box::new(cell.record.cell),
                    });
                }
            }
        }
        let count = |finished: &[Option<Finished>]| finished.iter().flatten().count();
        let write =
            |finished: &[Option<Finished>]| folder.write(&finished.iter().flatten().collect::<Vec<_>>());
        if count(&finished) > 0 {
            watch.note(&format!("{} of {of} cells were finished before", count(&finished)));
            write(&finished)?;
        }
        let stage = Stage::new(watch, "cells");
        let mut failed = vec![];
        for (place, task) in self.tasks.iter().enumerate() {
            if finished[place].is_some() {
                continue;
            }
            if watch.is_stopped() {
                break;
            }
            stage.part(&task.cell.to_string(), count(&finished), of, self.left(&finished));
            match self.cell(laboratory, task, &mut journal, &mut blocks, watch) {
                Ok(None) => break,
                Ok(Some(cell)) => {
                    journal.append(&Entry::Cell(Box::new(cell.clone())))?;
                    finished[place] = Some(cell);
                    write(&finished)?;
                }
                // Another cell may need less memory, or have a client that can be attacked.
                Err(error) => {
                    watch.note(&format!("{}: {error}", task.cell));
                    failed.push((task.cell.clone(), error));
                }
            }
        }
        let count = failed.len();
        let failure = failed.into_iter().next();
        let failure = failure.map(|(cell, error)| SweepError::Cells {
            failed: count,
            of,
            cell: Box::new(cell),
            cause: Box::new(error),
        });
        Ok((finished.into_iter().flatten().collect(), failure))
    }
}

impl Plan<'_> {
    /// Attacks what is missing of a cell, block by block, each on the disk when the next begins; `None`: stopped in its middle.
    fn cell(
        &self,
        laboratory: &mut Laboratory,
        task: &Task,
        journal: &mut Journal,
        blocks: &mut Blocks,
        watch: &dyn Watch,
    ) -> Result<Option<Finished>, SweepError> {
        let own = self.blocks_of(task);
        let missing: Vec<Block> = own.iter().filter(|block| blocks.get(block).is_none()).cloned().collect();
        let mut failed = self.attack_all(&[laboratory.device], &missing, 0, watch, &mut |attacked| {
            journal.append(&Entry::Block(Box::new(attacked.clone())))?;
            blocks.add(attacked, &journal.path)
        })?;
        if let Some((_, error)) = failed.pop() {
            return Err(error);
        }
        if watch.is_stopped() {
            return Ok(None);
        }
        let all = blocks.all(&own).unwrap_or_default();
        let finished = laboratory.finish(task, &all, watch)?;
        Ok(if watch.is_stopped() { None } else { Some(finished) })
    }
}

/// What is known before a sweep goes on.
#[derive(Default)]
struct Known {
    cells: Vec<Finished>,
    blocks: Blocks,
}
