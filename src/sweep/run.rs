//! From a plan to results: cell after cell, each on the disk when the next begins.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Block, Blocks, Cell, Configuration, Entry, Finished, Journal, Plan, Record, Shard, SweepError, Task,
    deal, laboratory::Laboratory, page, plots, points, results, shard_journals, table, verdict::verdict,
};
use crate::{
    clip::zero_shot::Namer,
    data::DataError,
    device::Device,
    report::{Verdict, html::PictureBatch},
    semantic::Assignment,
    watch::{Stage, Watch},
};

/// What stands in the folder beside the results: all that is finished.
const JOURNAL: &str = "journal.jsonl";
const PAGE: &str = "report.html";

/// What became of a sweep.
pub struct Swept {
    pub configuration: Configuration,
    /// In the order of the plan's tasks.
    pub finished: Vec<Finished>,
    /// Files that a person wants to look at.
    pub written: Vec<PathBuf>,
    /// What of the sweep decides how it is shown.
    assignment: Assignment,
    together: usize,
}

impl Swept {
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
        fs::create_dir_all(out).map_err(|cause| DataError::Unwritable { path: out.to_owned(), cause })?;
        let &[device, ..] = devices else { return Err(SweepError::Nothing { what: "devices of a sweep" }) };
        let configuration = self.configuration(&device.info(), namer.as_mut())?;
        let model = namer.as_ref().map(Namer::model);
        let path = journal;
        let (mut journal, entries) = Journal::open(&path, &configuration, &self.sweep.command)?;
        let mut known = Known::default();
        for entry in entries {
            match entry {
                Entry::Block(attacked) => known.blocks.add(attacked, &path)?,
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
                journal.append(&Entry::Block(attacked.clone()))?;
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
                        cell: cell.record.cell,
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
            cell,
            cause: Box::new(error),
        });
        Ok((finished.into_iter().flatten().collect(), failure))
    }
}

/// Options that do not change what a sweep finds, with a value and without.
const WITH_VALUE: [&str; 3] = ["--out", "--shard", "--time-limit"];
const ALONE: [&str; 5] = ["--json", "-q", "--quiet", "-v", "--verbose"];

/// The command that would find the same, however the work was split and wherever it was written.
fn shown(command: &[String]) -> Vec<String> {
    let (mut shown, mut skips) = (vec![], false);
    for argument in command {
        let name = argument.split('=').next().unwrap_or_default();
        if !std::mem::take(&mut skips) && !ALONE.contains(&name) {
            match WITH_VALUE.contains(&name) {
                true => skips = !argument.contains('='),
                false => shown.push(argument.clone()),
            }
        }
    }
    shown
}

/// Where the cells were attacked.
fn devices(finished: &[&Finished]) -> String {
    let mut all: Vec<&str> = finished.iter().flat_map(|f| f.record.device.split(" + ")).collect();
    all.sort_unstable();
    all.dedup();
    all.join(" + ")
}

/// Of one seed of each cell, the first.
fn samples(finished: &[&Finished]) -> Vec<PictureBatch> {
    let mut seen = BTreeSet::new();
    let of = |finished: &&Finished| {
        let Cell { victim, weights, batch_size, defence, .. } = finished.record.cell.clone();
        let is_first = seen.insert((victim, weights, batch_size, defence));
        Some(finished.sample.as_ref().filter(|_| is_first)?.shown(&finished.record.cell.to_string()))
    };
    finished.iter().filter_map(of).collect()
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
            journal.append(&Entry::Block(attacked.clone()))?;
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
        fs::create_dir_all(out).map_err(|cause| DataError::Unwritable { path: out.to_owned(), cause })?;
        let &[device, ..] = devices else { return Err(SweepError::Nothing { what: "devices of a sweep" }) };
        let configuration = self.configuration(&device.info(), namer.as_mut())?;
        let path = out.join(shard.journal());
        let (mut journal, entries) = Journal::open::<Entry>(&path, &configuration, &self.sweep.command)?;
        let mut blocks = Blocks::default();
        for entry in entries {
            if let Entry::Block(attacked) = entry {
                blocks.add(attacked, &path)?;
            }
        }
        let others: Vec<PathBuf> = shard_journals(out)?.into_iter().filter(|other| *other != path).collect();
        self.read_shards(&others, &configuration, &mut blocks)?;
        let own = shard.blocks(&self.blocks(), &self.costs()?);
        let missing: Vec<Block> = own.iter().filter(|block| blocks.get(block).is_none()).cloned().collect();
        let failed =
            self.attack_all(devices, &missing, own.len() - missing.len(), watch, &mut |attacked| {
                journal.append(&Entry::Block(attacked.clone()))?;
                blocks.add(attacked, &path)
            })?;
        let count = failed.len();
        match failed.into_iter().next() {
            Some((cell, cause)) => {
                Err(SweepError::Cells { failed: count, of: own.len(), cell, cause: Box::new(cause) })
            }
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
        let costs = self.costs()?;
        let owner = |block: &Block| {
            let (of, place) = (of?, all.iter().position(|b| b == block)?);
            let number = 1 + deal(&costs, of).iter().position(|places| places.contains(&place))?;
            Some(Shard { number, of })
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

/// What is known before a sweep goes on.
#[derive(Default)]
struct Known {
    cells: Vec<Finished>,
    blocks: Blocks,
}

/// What became of a shard.
pub struct Sharded {
    pub journal: PathBuf,
    /// Blocks that are done, of how many.
    pub done: usize,
    pub of: usize,
}

/// What stands in the folder, and what it is made from beside the finished cells.
struct Folder<'a> {
    plan: &'a Plan<'a>,
    out: &'a Path,
    configuration: &'a Configuration,
    model: Option<String>,
}

impl Folder<'_> {
    /// Tables, plots and page of what is finished; the paths that a person wants to know.
    fn write(&self, finished: &[&Finished]) -> Result<Vec<PathBuf>, SweepError> {
        let Folder { plan, out, configuration, .. } = *self;
        let sweep = plan.sweep;
        results::write(out, finished)?;
        let cells: Vec<&Record> = finished.iter().map(|f| &f.record).collect();
        let lines = points::lines(&cells, sweep.naming_rule.assignment);
        let mut written = vec![out.join(results::RESULTS)];
        written.extend(plots::write(out, &lines, sweep.together)?);
        let page = page::page(&page::Facts {
            command: &shown(&sweep.command),
            lines: &lines,
            samples: &samples(finished),
            together: sweep.together,
            one_to_one: sweep.naming_rule.assignment == Assignment::OneToOne,
            configuration,
            threats: &plan.threats,
            data: &sweep.dataset.name,
            model: self.model.as_deref(),
            seed: plan.tasks[0].cell.seed,
            device: &devices(finished),
            verdict: verdict(&cells),
            missing: [plan.tasks.len() - finished.len(), plan.tasks.len()],
        });
        page.write(&out.join(PAGE))?;
        written.push(out.join(PAGE));
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn the_command_shown_does_not_depend_on_shards_and_folders() {
        let of = |text: &str| shown(&text.split(' ').map(String::from).collect::<Vec<_>>()).join(" ");
        let plain = "gia-gpu sweep --batches 4 --seeds=1,2";
        assert_eq!(of("gia-gpu sweep --shard 1/4 --batches 4 --out=x --seeds=1,2 --json"), plain);
        assert_eq!(of("gia-gpu sweep --batches 4 --out y --seeds=1,2 --time-limit 60 -q"), plain);
    }
}
