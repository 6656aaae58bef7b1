//! The page's sections on how hypotheses were compared: ways to rank, what leads are worth, who reads.

use super::report::{GuideBatch, GuideReport};
use crate::report::html::{Axis, Cell, Curves, Measured, Point, Scale, Section, Series, Table};

/// All of them that there is something to say in.
pub(super) fn sections(report: &GuideReport) -> Vec<Section> {
    [ways(report), calibration(report), reliability(report), readers(report)].into_iter().flatten().collect()
}

/// How often each way to rank puts the truth first.
fn ways(report: &GuideReport) -> Option<Section> {
    let tally = report.tally.as_ref()?;
    let mut table = Table::new(["ranked by", "true hypothesis first", "among the first three"]);
    for order in &tally.orders {
        table = table.row([Cell::from(order.by), Cell::share(order.first), Cell::share(order.top_3)]);
    }
    let chance = [Cell::from("chance"), Cell::share(tally.chance_first), Cell::share(tally.chance_top_3)];
    Some(Section::new("Ways to compare", table.row(chance)))
}

fn calibration(report: &GuideReport) -> Option<Section> {
    let record = report.calibration.as_ref()?;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut table = Table::new(["batch", "first hypothesis", "p", "claimed"]);
    for (number, batch) in report.batches.iter().enumerate() {
        let p = batch.p_value.map_or(String::new(), |p| format!("{p:.3}"));
        let claimed = if batch.claimed == Some(true) { "yes" } else { "no" };
        let row = [number.to_string(), named(batch), p, claimed.into()];
        table = table.row(row.map(|text| Cell::from(text.as_str())));
    }
    let observed = match (record.observed_rate, record.observed_interval_95) {
        (Some(rate), Some([low, high])) => {
            format!("observed: {} [{}, {}]", percent(rate), percent(low), percent(high))
        }
        _ => "too few to observe it".into(),
    };
    Some(
        Section::new("What a lead is worth", table)
            .note(format!(
                "Calibrated on gradients of {}: {} with none of their names among the candidates, {} with them. Rate of false positives: {} \
                 stated, {observed}.",
                record.source,
                record.unrelated,
                record.related,
                percent(record.false_positive_rate)
            ))
            .note("p: how often a gradient that has nothing to do with any candidate has a lead as large."),
    )
}

fn named(batch: &GuideBatch) -> String {
    let pairs = batch.indices.iter().zip(&batch.hypotheses[0].names);
    pairs.map(|(index, name)| format!("{index} = {name}")).collect::<Vec<_>>().join(", ")
}

fn reliability(report: &GuideReport) -> Option<Section> {
    let found = report.reliability.as_ref()?;
    let points = found.bins.iter().map(|bin| Point {
        x: bin.said,
        y: Measured { mean: bin.right, interval_95: Some(bin.interval_95) },
    });
    let ideal = [0.0, 1.0].map(|x| Point { x, y: Measured::from(x) });
    let curves = Curves {
        x: Axis::new("posterior of a hypothesis", Scale::Share),
        y: Axis::new("share that is true", Scale::Share),
        series: vec![
            Series { name: "observed".into(), points: points.collect() },
            Series { name: "as said".into(), points: ideal.to_vec() },
        ],
        levels: vec![],
    };
    Some(Section::new("Reliability of the posterior", curves).note(format!(
        "Expected calibration error {:.3}, Brier score {:.3}, over all hypotheses of the batches whose truth is known.",
        found.expected_calibration_error, found.brier
    )))
}

fn readers(report: &GuideReport) -> Option<Section> {
    if report.readers.is_empty() {
        return None;
    }
    let mut table = Table::new(["reader", "", "indices right, nothing pulled", "indices right, believed"]);
    for reader in &report.readers {
        let what = if reader.pulled { "pulled at the pictures" } else { "did not pull" };
        let share = |estimate: &Option<_>| estimate.map_or_else(Cell::none, Cell::share);
        table = table.row([
            Cell::from(reader.model.as_str()),
            Cell::from(what),
            share(&reader.unguided),
            share(&reader.believed),
        ]);
    }
    let section = Section::new("Who reads the pictures", table);
    Some(report.notes.iter().fold(section, |section, note| section.note(note.clone())))
}
