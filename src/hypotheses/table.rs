//! The ranking as a table for the terminal.

use std::fmt::{Result, Write};

use super::report::{GuideBatch, GuideReport};

/// Batches and hypotheses that are listed; the true one always is.
const BATCHES: usize = 4;
const HYPOTHESES: usize = 8;

impl GuideReport {
    /// The first batches, and what was found over all of them.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Nothing can fail where text is written to.
        let _ = write_all(self, &mut text);
        text.trim_end().into()
    }
}

fn write_all(report: &GuideReport, out: &mut String) -> Result {
    let guidance = report.head.attack.guidance.map_or(0.0, |g| g.weight);
    writeln!(
        out,
        "{} on {}: {} × {} pictures, {} restarts a hypothesis, {} iterations, compared by {} ({}), guidance {guidance}, on {}",
        report.head.attack.preset,
        report.head.architecture,
        report.batches.len(),
        report.head.batch,
        report.head.restarts,
        report.head.attack.iterations,
        report.comparison,
        report.comparison.measure(),
        report.head.device.name
    )?;
    for (number, batch) in report.batches.iter().enumerate().take(BATCHES) {
        write_batch(number, batch, out)?;
    }
    if report.batches.len() > BATCHES {
        writeln!(out, "… {} more batches in report.json", report.batches.len() - BATCHES)?;
    }
    for skipped in &report.skipped {
        writeln!(out, "batch {} is left out: {}", skipped.batch, skipped.reason)?;
    }
    if let Some(tally) = &report.tally {
        writeln!(out, "\n{:44} {:>22} {:>8}", format!("over {} batches", tally.batches), "share", "chance")?;
        let rows = [
            ("true hypothesis ranks first", &tally.first, Some(tally.chance_first)),
            ("true hypothesis among the first three", &tally.top_3, Some(tally.chance_top_3)),
            ("naming without guidance finds it", &tally.unguided, Some(tally.chance_first)),
            ("first minus naming without guidance", &tally.first_minus_unguided, None),
            ("indices named right", &tally.names, None),
            ("indices named right without guidance", &tally.unguided_names, None),
        ];
        for (name, estimate, chance) in rows {
            let chance = chance.map_or(String::new(), |c| format!("{c:.3}"));
            writeln!(out, "{name:44} {estimate:>22} {chance:>8}")?;
        }
        writeln!(out, "\n{:44} {:>22} {:>22}", "true hypothesis, ranked by", "first", "among three")?;
        for order in &tally.orders {
            writeln!(out, "{:44} {:>22} {:>22}", order.by, order.first, order.top_3)?;
        }
    }
    write_claims(report, out)?;
    let Some(timing) = report.timing else { return Ok(()) };
    let trials = timing.trials;
    writeln!(
        out,
        "{trials} guided trials in {:.1} s, {:.3} ms per iteration and trial ({:.3} without guidance)",
        timing.seconds,
        timing.milliseconds_per_iteration_and_trial,
        report.unguided_timing.milliseconds_per_iteration_and_trial
    )
}

/// What leads are worth, and who read the pictures.
fn write_claims(report: &GuideReport, out: &mut String) -> Result {
    if let Some(record) = &report.calibration {
        let claimed = report.batches.iter().filter(|batch| batch.claimed == Some(true)).count();
        let observed = match (record.observed_rate, record.observed_interval_95) {
            (Some(rate), Some([low, high])) => {
                format!("{:.1} % [{:.1}, {:.1}] observed", 100.0 * rate, 100.0 * low, 100.0 * high)
            }
            _ => "too few to observe it".into(),
        };
        writeln!(
            out,
            "\n{claimed} of {} claimed at {:.0} % false positives ({observed}), by {} unrelated and {} related gradients of {}",
            report.batches.len(),
            100.0 * record.false_positive_rate,
            record.unrelated,
            record.related,
            record.source
        )?;
    }
    if let Some(reliability) = &report.reliability {
        writeln!(
            out,
            "posterior: expected calibration error {:.3}, Brier score {:.3}",
            reliability.expected_calibration_error, reliability.brier
        )?;
    }
    for reader in &report.readers {
        let what = if reader.pulled { "pulled" } else { "did not pull" };
        let share = |estimate: &Option<crate::statistics::Estimate>| {
            estimate.map_or("unknown".to_string(), |estimate| estimate.to_string())
        };
        writeln!(
            out,
            "read by {} ({what}): indices right {} where nothing pulled, {} under the hypothesis believed",
            reader.model,
            share(&reader.unguided),
            share(&reader.believed)
        )?;
    }
    report.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))
}

fn write_batch(number: usize, batch: &GuideBatch, out: &mut String) -> Result {
    let indices: Vec<String> = batch.indices.iter().map(ToString::to_string).collect();
    let tried = batch.hypotheses.len();
    writeln!(
        out,
        "\nbatch {number}: label indices {}, candidates {}",
        indices.join(", "),
        batch.names.join(", ")
    )?;
    match (batch.hypotheses_in_all, batch.pruned) {
        (Some(all), Some(pruned)) if pruned > 0 => {
            let truth = if batch.truth_pruned == Some(true) { ", the true one among them" } else { "" };
            writeln!(out, "{tried} of {all} hypotheses tried, {pruned} unlikely ones left out{truth}")?;
        }
        (None, _) => writeln!(out, "{tried} of countless hypotheses tried, the likeliest without guidance")?,
        _ => {}
    }
    writeln!(
        out,
        "{:>4}  {:>11}  {:>6}  {:>10}  names of {}",
        "rank",
        "loss",
        "score",
        "similarity",
        indices.join(", ")
    )?;
    for (place, hypothesis) in batch.hypotheses.iter().enumerate() {
        if place >= HYPOTHESES && !hypothesis.is_true {
            continue;
        }
        let truth = if hypothesis.is_true { "  (true)" } else { "" };
        let tied = if place > 0 && hypothesis.tied { "=" } else { " " };
        writeln!(
            out,
            "{tied}{:>3}  {:>11.5e}  {:>6.3}  {:>10.2e}  {}{truth}",
            place + 1,
            hypothesis.loss,
            hypothesis.score,
            hypothesis.similarity,
            hypothesis.names.join(", ")
        )?;
    }
    if tried > HYPOTHESES {
        writeln!(out, "      … all {tried} in report.json")?;
    }
    let margin = batch.margin.map_or(String::new(), |margin| format!("margin {margin:.2e}, "));
    let tied =
        if batch.tied > 1 { format!("{} tied for the first place, ", batch.tied) } else { String::new() };
    writeln!(out, "{margin}{tied}without guidance: {}", batch.unguided_names.join(", "))
}
