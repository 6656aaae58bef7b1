//! What a person at a terminal sees of a sweep: how far it is, and what it found.

use std::{fmt::Write, time::Duration};

use super::victims::{SweptVictim, Task};
use crate::{
    cli::progress::Terminal,
    report::html::Measured,
    sweep::{
        Finished, Source,
        plots::name,
        points::{Line, Point},
    },
    watch::Stage,
};

/// A bar over the cells, with the time that is left.
pub struct Overview<'a> {
    stage: Stage<'static>,
    victims: &'a [SweptVictim],
    tasks: &'a [Task],
}

impl<'a> Overview<'a> {
    pub fn new(victims: &'a [SweptVictim], tasks: &'a [Task]) -> Overview<'a> {
        Overview { stage: Stage::new(&Terminal, "cells"), victims, tasks }
    }

    /// Says that a cell begins. `finished`: what there is so far, a place a task.
    pub fn begin(&self, task: &Task, finished: &[Option<Finished>]) {
        let done = finished.iter().flatten().count();
        self.stage.part(&task.cell.to_string(), done, self.tasks.len(), self.left(finished));
    }

    /// Seconds for a unit of work are taken from the victim's finished cells, or from all of them where it has none.
    fn left(&self, finished: &[Option<Finished>]) -> Option<Duration> {
        let pace = |victim: Option<usize>| {
            let mut seconds = 0.0;
            let mut work = 0.0;
            for (task, cell) in self.tasks.iter().zip(finished) {
                if let Some(cell) = cell.as_ref().filter(|_| victim.is_none_or(|v| v == task.victim)) {
                    seconds += cell.timing.seconds;
                    work += self.work(task);
                }
            }
            (work > 0.0).then_some(seconds / work)
        };
        let missing = self.tasks.iter().zip(finished).filter(|(_, cell)| cell.is_none());
        let seconds =
            missing.map(|(task, _)| Some(self.work(task) * pace(Some(task.victim)).or(pace(None))?));
        Duration::try_from_secs_f64(seconds.sum::<Option<f64>>()?).ok()
    }

    fn work(&self, task: &Task) -> f64 {
        self.victims[task.victim].work(task.cell.batch_size)
    }
}

/// A row a point of every line, pooled over seeds. `together`: batches of an aggregation.
pub fn table(lines: &[Line], together: usize) -> String {
    let all: Vec<&Line> = lines.iter().collect();
    let named = lines.iter().flat_map(|l| &l.points).any(|p| p.random.is_some());
    let mut text = String::new();
    let _ = write!(text, "{:>4}{:>9}", "B", "batches");
    if named {
        let groups = format!("{together} batches");
        let _ = write!(
            text,
            "{:>11}{:>24}{groups:>24}{:>10}{:>8}",
            "originals", "one batch", "shuffled", "random"
        );
    }
    let _ = writeln!(text, "{:>10}{:>7}{:>14}", "PSNR dB", "SSIM", "labels found");
    for line in lines {
        let _ = writeln!(text, "{}", name(line, &all));
        line.points.iter().for_each(|point| row(&mut text, point, named));
    }
    if named {
        let _ = writeln!(
            text,
            "columns up to random: share of the labels named right, in percent, with 95 % intervals"
        );
    }
    text.trim_end().to_string()
}

fn row(text: &mut String, point: &Point, named: bool) {
    let batches = match point.skipped {
        0 => point.batches.to_string(),
        skipped => format!("{} (−{skipped})", point.batches),
    };
    let _ = write!(text, "{:>4}{batches:>9}", point.batch_size);
    if named {
        let single = |source| mean(point.single.get(&source).copied(), 100.0, 1);
        let _ = write!(
            text,
            "{:>11}{:>24}{:>24}{:>10}{:>8}",
            single(Source::Originals),
            share(point.single.get(&Source::Reconstructions)),
            share(point.aggregated.get(&Source::Reconstructions)),
            single(Source::Shuffled),
            point.random.map_or("–".into(), |r| format!("{:.1}", 100.0 * r)),
        );
    }
    let (psnr, ssim, irec) = (mean(point.psnr, 1.0, 2), mean(point.ssim, 1.0, 3), mean(point.irec, 100.0, 0));
    let _ = writeln!(text, "{psnr:>10}{ssim:>7}{irec:>12} %");
}

fn mean(value: Option<Measured>, scale: f64, decimals: usize) -> String {
    value.map_or("–".into(), |v| format!("{:.decimals$}", scale * v.mean))
}

fn share(value: Option<&Measured>) -> String {
    match value.map(|v| (v.mean, v.interval_95)) {
        None => "–".into(),
        Some((mean, None)) => format!("{:.1}", 100.0 * mean),
        Some((mean, Some([low, high]))) => {
            format!("{:.1} [{:.1}, {:.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
        }
    }
}
