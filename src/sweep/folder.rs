//! What a sweep leaves to be looked at: tables, plots and page of what is finished.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Cell, Configuration, Finished, Plan, Record, SweepError, command::shown, page, plots, points, results,
    verdict::verdict,
};
use crate::{data::DataError, files::outgoing, report::html::PictureBatch, semantic::Assignment};

const PAGE: &str = "report.html";

/// Once nothing of the options can fail any more: a sweep that is refused leaves nothing.
pub(crate) fn make_folder(out: &Path) -> Result<(), SweepError> {
    Ok(outgoing::make_folder(out).map_err(|cause| DataError::Unwritable { path: out.to_owned(), cause })?)
}

/// What stands in the folder, and what it is made from beside the finished cells.
pub(crate) struct Folder<'a> {
    pub plan: &'a Plan<'a>,
    pub out: &'a Path,
    pub configuration: &'a Configuration,
    pub model: Option<String>,
}

impl Folder<'_> {
    /// Tables, plots and page of what is finished; the paths that a person wants to know.
    pub(crate) fn write(&self, finished: &[&Finished]) -> Result<Vec<PathBuf>, SweepError> {
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
        let Cell { victim, weights, batch_size, defence, attack, .. } = finished.record.cell.clone();
        let is_first = seen.insert((victim, weights, batch_size, defence, attack));
        Some(finished.sample.as_ref().filter(|_| is_first)?.shown(&finished.record.cell.to_string()))
    };
    finished.iter().filter_map(of).collect()
}
