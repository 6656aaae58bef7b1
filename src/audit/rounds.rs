//! Leakage over rounds: what each update of one client gives away, and what all up to it do.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditError, Findings, Observation, Outcome};
use crate::{
    data::Picture,
    metrics::{SSIM_WINDOW, ssim_table},
    report::{
        Round, RunReport,
        html::{Axis, Cell, Curves, Scale, Section, Series, Table},
    },
    semantic::SemanticReport,
};

impl Outcome {
    /// What came of rounds whose victims differ, as one outcome; nothing for none.
    pub fn of_rounds(rounds: Vec<Outcome>) -> Option<Outcome> {
        rounds.into_iter().reduce(|mut all, next| {
            let trials = all.timing.trials + next.timing.trials;
            let seconds = all.timing.seconds + next.timing.seconds;
            let iterations = all.timing.iterations.max(next.timing.iterations);
            all.timing = crate::report::Timing::new(seconds, iterations, trials);
            all.losses.extend(next.losses);
            all.found.extend(next.found);
            all.pictures.extend(next.pictures);
            all.features.extend(next.features);
            all.validity.extend(next.validity);
            all.doubts.extend(next.doubts);
            all.interrupted |= next.interrupted;
            // Features of different victims do not compare.
            all.features.iter_mut().for_each(|features| *features = None);
            all
        })
    }
}

/// Whether the files of rounds, each with the weights that it started from, are of one network.
///
/// # Errors
/// The first that differs in network or batch.
pub fn check_rounds(rounds: &[Observation]) -> Result<(), AuditError> {
    let of = |round: &Observation| {
        let model = &round.audit.victim.model;
        format!("{} for {:?}, {} pictures", model.describe(), model.image, round.batch)
    };
    let path = |round: &Observation| round.files[0].display().to_string();
    let Some((first, others)) = rounds.split_first() else { return Ok(()) };
    match others.iter().find(|other| of(other) != of(first)) {
        Some(other) => Err(AuditError::Misuse(format!(
            "{} and {} are no rounds of one client: {} and {}",
            path(first),
            path(other),
            of(first),
            of(other)
        ))),
        None => Ok(()),
    }
}

/// A row a file; none where there are not several.
pub(crate) fn rounds(findings: &Findings) -> Result<Vec<Round>, AuditError> {
    let Findings { files, outcome, semantic, .. } = findings;
    if files.len() < 2 || outcome.found.len() != files.len() {
        return Ok(vec![]);
    }
    let mut seen = BTreeSet::new();
    let certainty = semantic.as_ref().map(certainty_so_far);
    let row = |(batch, file): (usize, &String)| {
        let found = &outcome.found[batch];
        let classes: BTreeSet<usize> = found.labels.iter().copied().collect();
        let new_classes: Vec<usize> = classes.difference(&seen).copied().collect();
        seen.extend(new_classes.iter().copied());
        let named = semantic.as_ref().map(|semantic| &semantic.batches[batch].labels);
        Ok::<_, AuditError>(Round {
            batch,
            file: file.clone(),
            classes: classes.into_iter().collect(),
            new_classes,
            classes_so_far: seen.len(),
            objective: found.best().objective,
            residual: found.recomputed.map(|again| again.residual),
            is_valid: outcome.validity.get(batch).map(crate::report::Validity::is_valid),
            like_earlier: like_earlier(&outcome.pictures[..=batch])?,
            certainty: named.and_then(|named| mean(named.iter().map(|naming| naming.probability))),
            certainty_so_far: certainty.as_ref().and_then(|all| all[batch]),
        })
    };
    files.iter().enumerate().map(row).collect()
}

/// Mean over the pictures of the last batch of the largest SSIM with any picture before.
fn like_earlier(batches: &[Vec<Picture>]) -> Result<Option<f64>, AuditError> {
    let Some((own, earlier)) = batches.split_last() else { return Ok(None) };
    let earlier = earlier.concat();
    let small = own.iter().any(|picture| picture.height.min(picture.width) < SSIM_WINDOW);
    if earlier.is_empty() || own.is_empty() || small {
        return Ok(None);
    }
    let table = ssim_table(own, &earlier)?;
    let best = table.chunks(earlier.len()).map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    Ok(mean(best))
}

/// After each batch: the mean over all label indices seen so far of the highest mean probability of a name.
fn certainty_so_far(semantic: &SemanticReport) -> Vec<Option<f64>> {
    let mut sums: BTreeMap<usize, (f64, Vec<f64>)> = BTreeMap::new();
    let mut after = vec![];
    for (batch, weight) in semantic.batches.iter().zip(&semantic.batch_weights) {
        for naming in &batch.labels {
            let weight = weight * naming.reconstructions as f64;
            let none = || (0.0, vec![0.0; naming.similarity.len()]);
            let (total, sum) = sums.entry(naming.index).or_insert_with(none);
            *total += weight;
            sum.iter_mut().zip(&naming.similarity).for_each(|(sum, p)| *sum += weight * p);
        }
        let highest = |(total, sum): &(f64, Vec<f64>)| sum.iter().copied().fold(0.0, f64::max) / total;
        after.push(mean(sums.values().filter(|(total, _)| *total > 0.0).map(highest)));
    }
    after
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// A table of the rounds and a plot of what they add up to; nothing for a single one.
pub(crate) fn sections(report: &RunReport) -> Vec<Section> {
    let rounds = &report.rounds;
    if rounds.is_empty() {
        return vec![];
    }
    let named = rounds.iter().any(|round| round.certainty.is_some());
    let mut columns = vec!["round", "file", "classes", "of them new", "objective", "residual"];
    columns.extend(["like an earlier round's (SSIM)", "did the attack work?"]);
    columns.extend(named.then_some(["certainty of names", "with all rounds before"]).into_iter().flatten());
    let list = |classes: &[usize]| match classes.is_empty() {
        true => "none".to_string(),
        false => classes.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let optional = |value: Option<f64>, decimals| value.map_or(Cell::none(), |v| Cell::number(v, decimals));
    let row = |round: &Round| {
        let work = match round.is_valid {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not tested",
        };
        let mut cells = vec![
            Cell::from(round.batch + 1),
            Cell::from(round.file.clone()),
            Cell::from(list(&round.classes)),
            Cell::from(list(&round.new_classes)),
            Cell::loss(f64::from(round.objective)),
            round.residual.map_or(Cell::none(), Cell::loss),
            optional(round.like_earlier, 2),
            Cell::from(work),
        ];
        if named {
            let share = |value: Option<f64>| value.map_or(Cell::none(), Cell::share);
            cells.extend([share(round.certainty), share(round.certainty_so_far)]);
        }
        cells
    };
    let table = rounds.iter().fold(Table::new(columns), |table, round| table.row(row(round)));
    let table = Section::new("Leakage over rounds", table).reading(
        "One update a row, in the order of the rounds. New classes and unlike pictures are what a round gives away \
         beyond those before it; pictures like an earlier round's are sent again.",
    );
    let over = |of: &dyn Fn(&Round) -> Option<f64>| -> Vec<(f64, f64)> {
        rounds.iter().filter_map(|round| Some(((round.batch + 1) as f64, of(round)?))).collect()
    };
    let classes = report.head.classes.max(1) as f64;
    let mut series =
        vec![Series::new("classes shown so far", over(&|r: &Round| Some(r.classes_so_far as f64 / classes)))];
    if named {
        series.push(Series::new("certainty of names, this round", over(&|r: &Round| r.certainty)));
        series.push(Series::new("certainty of names, rounds so far", over(&|r: &Round| r.certainty_so_far)));
    }
    let (x, y) = (Axis::new("round", Scale::Linear), Axis::new("share", Scale::Share));
    let curves = Curves { x, y, series, levels: vec![] };
    let plot = Section::new("What the rounds add up to", curves).reading(
        "The share of the victim's classes that the rounds up to here showed, and how sure the names of the labels are.",
    );
    vec![table, plot]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::samples;

    #[test]
    fn a_picture_that_is_sent_again_is_like_an_earlier_one() {
        let samples = samples();
        let picture = |i: usize| samples.picture(i).unwrap();
        let rounds = [vec![picture(0), picture(1)], vec![picture(2)], vec![picture(1)]];
        assert_eq!(like_earlier(&rounds[..1]).unwrap(), None);
        let other = like_earlier(&rounds[..2]).unwrap().unwrap();
        let same = like_earlier(&rounds).unwrap().unwrap();
        assert!(other < 0.9 && (same - 1.0).abs() < 1e-6, "{other} {same}");
        let small = [vec![Picture::flat(1, 8, 8, 0.5).unwrap()], vec![Picture::flat(1, 8, 8, 0.5).unwrap()]];
        assert_eq!(like_earlier(&small).unwrap(), None);
    }
}
