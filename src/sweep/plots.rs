//! Which plots a sweep is worth.

use std::path::{Path, PathBuf};

use super::{
    Source, SweepError,
    points::{Line, Point},
};
use crate::report::{
    html::Measured,
    size_plot::{self, Panel, Series},
};

/// What a line is called among others: by what differs between them.
pub fn name(line: &Line, others: &[&Line]) -> String {
    let mut parts = vec![];
    if others.iter().any(|o| o.victim != line.victim) || others.len() < 2 {
        parts.push(line.victim.clone());
    }
    if others.iter().any(|o| o.weights != line.weights) {
        parts.push(training(line, others));
    }
    if others.iter().any(|o| o.defence != line.defence) {
        parts.push(if line.is_defended() { line.defence.clone() } else { "undefended".into() });
    }
    if others.iter().any(|o| o.attack != line.attack) {
        parts.push(line.attack.clone());
    }
    parts.join(", ")
}

/// `untrained`, `trained`, or the file's name where a victim has several.
fn training(line: &Line, others: &[&Line]) -> String {
    let other = |o: &&&Line| o.victim == line.victim && o.is_trained() && o.weights != line.weights;
    match line.is_trained() {
        false => "untrained".into(),
        true if others.iter().any(|o| other(&o)) => {
            let file = Path::new(&line.weights).file_stem().unwrap_or_default();
            format!("trained ({})", file.to_string_lossy())
        }
        true => "trained".into(),
    }
}

/// A value of every point that has it.
pub fn values(line: &Line, value: impl Fn(&Point) -> Option<Measured>) -> Vec<(usize, Measured)> {
    line.points.iter().filter_map(|point| Some((point.batch_size, value(point)?))).collect()
}

/// Lines that belong beside each other, under a title.
pub struct Group<'l> {
    /// Above the plot.
    pub title: String,
    /// One for each victim, its weights, defence and attack.
    pub lines: Vec<&'l Line>,
}

/// The lines of clients without a defence, or all where every client has one.
pub fn undefended(lines: &[Line]) -> Vec<&Line> {
    let plain: Vec<&Line> = lines.iter().filter(|line| !line.is_defended()).collect();
    if plain.is_empty() { lines.iter().collect() } else { plain }
}

/// Victims that were measured both untrained and trained.
pub fn trainings(lines: &[Line]) -> Vec<Group<'_>> {
    let groups = groups(undefended(lines), |line| with_attack(line.victim.clone(), line, lines));
    let both = |g: &Group| [true, false].iter().all(|t| g.lines.iter().any(|l| l.is_trained() == *t));
    groups.into_iter().filter(both).collect()
}

/// Victims that were measured under several defences.
pub fn defences(lines: &[Line]) -> Vec<Group<'_>> {
    let all: Vec<&Line> = lines.iter().collect();
    let whole = |line: &Line| match training(line, &[]) {
        text if lines.iter().any(|l| l.weights != line.weights) => format!("{}, {text}", line.victim),
        _ => line.victim.clone(),
    };
    let title = |line: &Line| with_attack(whole(line), line, lines);
    groups(all, title).into_iter().filter(|group| group.lines.len() > 1).collect()
}

/// A title, and the attack where there are several.
fn with_attack(title: String, line: &Line, lines: &[Line]) -> String {
    match lines.iter().any(|other| other.attack != line.attack) {
        true => format!("{title}, {}", line.attack),
        false => title,
    }
}

fn groups<'l>(lines: Vec<&'l Line>, title: impl Fn(&Line) -> String) -> Vec<Group<'l>> {
    let mut found: Vec<Group> = vec![];
    for line in lines {
        let title = title(line);
        match found.iter_mut().find(|group| group.title == title) {
            Some(group) => group.lines.push(line),
            None => found.push(Group { title, lines: vec![line] }),
        }
    }
    found
}

/// Writes the plots that these lines have points for, and removes those of an earlier state that they have none for; the
/// paths of what was written. `together`: batches of an aggregation.
pub fn write(folder: &Path, lines: &[Line], together: usize) -> Result<Vec<PathBuf>, SweepError> {
    let plain = undefended(lines);
    let named = |point: &Point| point.single.get(&Source::Reconstructions).copied();
    let random = lines.iter().flat_map(|l| &l.points).find_map(|p| p.random).map(|r| ("random", r));
    let series = |line: &Line, name: String, value: &dyn Fn(&Point) -> Option<Measured>| Series {
        name,
        points: values(line, value),
    };
    let compared = |group: &Group| Panel {
        title: group.title.clone(),
        series: group.lines.iter().map(|l| series(l, name(l, &group.lines), &named)).collect(),
        level: random,
    };
    let aggregated = |line: &&Line| Panel {
        title: name(line, &plain),
        series: vec![
            series(line, "one batch".into(), &named),
            series(line, format!("{together} batches"), &|p| {
                p.aggregated.get(&Source::Reconstructions).copied()
            }),
            series(line, "originals, one batch".into(), &|p| p.single.get(&Source::Originals).copied()),
        ],
        level: random,
    };
    let overview = |title: &str, value: &dyn Fn(&Point) -> Option<Measured>, level| {
        let series = plain.iter().map(|l| series(l, name(l, &plain), value)).collect();
        vec![Panel { title: title.into(), series, level }]
    };
    let all = [
        ("accuracy.svg", NAMED, overview("Labels named right from one batch", &named, random)),
        ("aggregation.svg", NAMED, plain.iter().map(aggregated).collect()),
        ("training.svg", NAMED, trainings(lines).iter().map(compared).collect()),
        ("defences.svg", NAMED, defences(lines).iter().map(compared).collect()),
        ("ssim.svg", "SSIM, one-to-one", overview("Likeness of the reconstructions", &|p| p.ssim, None)),
    ];
    let mut written = vec![];
    for (file, y, mut panels) in all {
        let path = folder.join(file);
        panels.iter_mut().for_each(|panel| panel.series.retain(|series| !series.points.is_empty()));
        panels.retain(|panel| !panel.series.is_empty());
        if panels.is_empty() {
            let _ = std::fs::remove_file(&path);
            continue;
        }
        size_plot::write(&path, &panels, y, [0.0, 1.0])?;
        written.push(path);
    }
    Ok(written)
}

/// What the plots of naming measure.
const NAMED: &str = "share of labels named right";
