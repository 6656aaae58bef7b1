//! What the labels mean, as a table for the terminal.

use std::fmt::Write;

use crate::{
    report::RunReport,
    semantic::{Assignment, IndexNaming, Score, SemanticReport},
};

/// Indices that are listed.
const LISTED: usize = 20;

/// What the labels mean, and where names pulled what another model reads.
pub(crate) fn of_both(report: &RunReport) -> String {
    let Some(semantic) = &report.semantic else { return String::new() };
    let mut text = of(semantic);
    let Some(guidance) = &report.guidance else { return text };
    if let Some(judge) = &report.judge {
        let _ = write!(text, "\n\nread by {}, which did not pull:\n{}", judge.model, of(judge));
    }
    if let Some(note) = &guidance.note {
        let _ = write!(text, "\nnote: {note}");
    }
    text
}

/// A line an index, then the share of indices named right with every control.
pub(crate) fn of(report: &SemanticReport) -> String {
    let mut text = String::new();
    let _ = write_names(&mut text, report);
    if report.accuracy.is_some() {
        let _ = write_accuracy(&mut text, report);
    }
    text.trim_end().into()
}

fn write_names(out: &mut String, report: &SemanticReport) -> std::fmt::Result {
    let shown = &report.aggregated[..report.aggregated.len().min(LISTED)];
    let width = |texts: &mut dyn Iterator<Item = &str>| texts.map(|t| t.chars().count()).max().unwrap_or(0);
    let name_width = width(&mut shown.iter().map(|l| l.name.as_str())).max("name".len());
    let next: Vec<String> = shown.iter().map(|label| runner_up(label, &report.names)).collect();
    let next_width = width(&mut next.iter().map(String::as_str)).max("next".len());
    writeln!(
        out,
        "\n{:>5}  {:name_width$}  {:>11}  {:>8}  {:next_width$}  true name",
        "label", "name", "probability", "pictures", "next"
    )?;
    for (label, next) in shown.iter().zip(next) {
        let truth = match (&label.truth, label.right) {
            (Some(truth), Some(true)) => format!("{truth}  right"),
            (Some(truth), _) => truth.clone(),
            (None, _) => "not known".into(),
        };
        writeln!(
            out,
            "{:>5}  {:name_width$}  {:>9.1} %  {:>8}  {next:next_width$}  {truth}",
            label.index,
            label.name,
            100.0 * label.probability,
            label.reconstructions
        )?;
    }
    if report.aggregated.len() > LISTED {
        writeln!(out, "  … {} more in report.json", report.aggregated.len() - LISTED)?;
    }
    Ok(())
}

/// The most probable of the other names.
fn runner_up(label: &IndexNaming, names: &[String]) -> String {
    let others = names.iter().zip(&label.similarity).filter(|(name, _)| **name != label.name);
    let next = others.max_by(|a, b| a.1.total_cmp(b.1));
    next.map_or(String::new(), |(name, p)| format!("{name} {:.1} %", 100.0 * p))
}

fn write_accuracy(out: &mut String, report: &SemanticReport) -> std::fmt::Result {
    let Some(accuracy) = &report.accuracy else { return Ok(()) };
    let all = match report.batches.len() {
        1 => "the batch".to_string(),
        n => format!("all {n} batches together"),
    };
    let by = match report.assignment {
        Assignment::Greedy => "greedy",
        Assignment::OneToOne => "one-to-one",
    };
    writeln!(
        out,
        "\n{:26} {:>26} {:>32}",
        format!("label indices named right, {by}"),
        "each batch alone",
        all
    )?;
    for (name, accuracy) in accuracy.rows() {
        let Some(score) = accuracy.score(report.assignment) else { continue };
        writeln!(out, "{name:30} {:>22} {:>32}", alone(score), together(score))?;
    }
    let random = percent(accuracy.random);
    writeln!(out, "{:30} {random:>22} {random:>32}", "random name")
}

fn alone(score: &Score) -> String {
    with_interval(score.per_batch.mean, score.per_batch.interval_95)
}

fn together(score: &Score) -> String {
    score.aggregated.map_or("–".into(), |share| {
        format!("{} of {}, {}", share.right, share.of, with_interval(share.share, Some(share.interval_95)))
    })
}

fn with_interval(share: f64, interval: Option<[f64; 2]>) -> String {
    match interval {
        Some([low, high]) => format!("{} [{:.1}, {:.1}]", percent(share), 100.0 * low, 100.0 * high),
        None => percent(share),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
