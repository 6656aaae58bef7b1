//! The instruction sets of a processor beside each other.

use std::fmt::{Result, Write};

use super::{
    BenchReport, Bound, Peaks,
    report::{name, time},
};

/// A report for each instruction set, widest first, of the same measurements: a table with a column for each.
pub fn levels(reports: &[BenchReport]) -> String {
    let mut text = String::new();
    // Nothing can fail where text is written to.
    let _ = write(reports, &mut text);
    text.trim_end().into()
}

fn write(reports: &[BenchReport], out: &mut String) -> Result {
    let Some(first) = reports.first() else { return Ok(()) };
    let isas: Vec<String> = reports.iter().map(BenchReport::isa).collect();
    first.write_device(&isas.join(" | "), out)?;
    let heads = row("", isas.into_iter());
    let peaks = |of: fn(&Peaks) -> f64| {
        reports.iter().map(move |report| format!("{:.1}", report.peaks.map_or(0.0, |p| of(&p)) / 1e9))
    };
    if first.peaks.is_some() {
        writeln!(out, "\n{heads}")?;
        writeln!(out, "{}", row("multiply-adds in f32, GFLOP/s", peaks(|p| p.flops_per_second)))?;
        writeln!(out, "{}", row("triad, GB/s", peaks(|p| p.bytes_per_second)))?;
    }
    if !first.kernels.is_empty() {
        writeln!(out, "\n{heads}\nshare of the set's peak of arithmetic, or of memory where marked m")?;
    }
    for (i, kernel) in first.kernels.iter().enumerate() {
        let share = |report: &BenchReport| {
            let mark = if report.kernels[i].bound == Bound::Memory { "m" } else { " " };
            format!("{:.0} % {mark}", 100.0 * report.kernels[i].share)
        };
        let what = format!("{:<18} {}", kernel.kernel, kernel.shape);
        writeln!(out, "{}", row(&what, reports.iter().map(share)))?;
    }
    if !first.iterations.is_empty() {
        writeln!(out, "\n{heads}\nmedian of an iteration")?;
    }
    for (i, iteration) in first.iterations.iter().enumerate() {
        let median = |report: &BenchReport| time(report.iterations[i].seconds.median);
        writeln!(out, "{}", row(&name(iteration), reports.iter().map(median)))?;
    }
    Ok(())
}

/// What it is, then a column for each instruction set.
fn row(what: &str, columns: impl Iterator<Item = String>) -> String {
    let columns: String = columns.map(|column| format!(" {column:>10}")).collect();
    format!("{what:<61}{columns}")
}
