//! From a plan to results: cell after cell, each on the disk when the next begins.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Cell, Configuration, Finished, Journal, Plan, Record, SweepError, laboratory::Laboratory, page, plots, points,
    results, table, verdict::verdict,
};
use crate::{
    clip::zero_shot::Namer,
    data::DataError,
    device::{Device, DeviceInfo},
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
        device: &dyn Device,
        mut namer: Option<Namer>,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<Swept, SweepError> {
        let (results, journal) = (out.join(results::RESULTS), out.join(JOURNAL));
        if results.exists() && !journal.exists() {
            return Err(SweepError::NoJournal { path: results });
        }
        fs::create_dir_all(out).map_err(|cause| DataError::Unwritable { path: out.to_owned(), cause })?;
        let info = device.info();
        let configuration = self.configuration(&info, namer.as_mut())?;
        let model = namer.as_ref().map(Namer::model);
        let (journal, known) = Journal::open(&journal, &configuration)?;
        let mut laboratory = Laboratory { sweep: self.sweep, device, namer, notes: BTreeSet::new() };
        let folder = Folder { plan: self, out, configuration: &configuration, model, device: info };
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
        known: Vec<Finished>,
        folder: &Folder,
        watch: &dyn Watch,
    ) -> Result<(Vec<Finished>, Option<SweepError>), SweepError> {
        let of = self.tasks.len();
        let mut finished: Vec<Option<Finished>> = self.tasks.iter().map(|_| None).collect();
        for cell in known {
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
            match laboratory.measure(task, watch) {
                // Stopped in its middle, it is no result.
                Ok(_) if watch.is_stopped() => break,
                Ok(cell) => {
                    journal.append(&cell)?;
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

/// What stands in the folder, and what it is made from beside the finished cells.
struct Folder<'a> {
    plan: &'a Plan<'a>,
    out: &'a Path,
    configuration: &'a Configuration,
    model: Option<String>,
    device: DeviceInfo,
}

impl Folder<'_> {
    /// Tables, plots and page of what is finished; the paths that a person wants to know.
    fn write(&self, finished: &[&Finished]) -> Result<Vec<PathBuf>, SweepError> {
        let Folder { plan, out, configuration, .. } = *self;
        let sweep = plan.sweep;
        results::write(out, finished, &self.device)?;
        let cells: Vec<&Record> = finished.iter().map(|f| &f.record).collect();
        let lines = points::lines(&cells, sweep.naming_rule.assignment);
        let mut written = vec![out.join(results::RESULTS)];
        written.extend(plots::write(out, &lines, sweep.together)?);
        let page = page::page(&page::Facts {
            command: &sweep.command,
            lines: &lines,
            samples: &samples(finished),
            together: sweep.together,
            one_to_one: sweep.naming_rule.assignment == Assignment::OneToOne,
            configuration,
            threats: &plan.threats,
            data: &sweep.dataset.name,
            model: self.model.as_deref(),
            seed: plan.tasks[0].cell.seed,
            device: &self.device,
            verdict: verdict(&cells),
            missing: [plan.tasks.len() - finished.len(), plan.tasks.len()],
        });
        page.write(&out.join(PAGE))?;
        written.push(out.join(PAGE));
        Ok(written)
    }
}
