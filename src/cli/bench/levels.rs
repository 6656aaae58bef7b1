//! `--isa all`: the instruction sets side by side.

use super::report::{Report, name, time};
use crate::{
    bench::{Bound, Peaks},
    cli::{print_json, print_line},
};

/// A report for each instruction set, widest first, of the same measurements.
pub fn print(reports: &[Report], json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(&reports);
    }
    let Some(first) = reports.first() else { return Ok(()) };
    let isas: Vec<String> = reports.iter().map(Report::isa).collect();
    first.print_device(&isas.join(" | "))?;
    let heads = row("", isas.into_iter());
    let peaks = |of: fn(&Peaks) -> f64| {
        reports.iter().map(move |report| format!("{:.1}", report.peaks.map_or(0.0, |p| of(&p)) / 1e9))
    };
    if first.peaks.is_some() {
        print_line(format!("\n{heads}"))?;
        print_line(row("multiply-adds in f32, GFLOP/s", peaks(|p| p.flops_per_second)))?;
        print_line(row("triad, GB/s", peaks(|p| p.bytes_per_second)))?;
    }
    if !first.kernels.is_empty() {
        print_line(format!("\n{heads}\nshare of the set's peak of arithmetic, or of memory where marked m"))?;
    }
    for (i, kernel) in first.kernels.iter().enumerate() {
        let share = |report: &Report| {
            let mark = if report.kernels[i].bound == Bound::Memory { "m" } else { " " };
            format!("{:.0} % {mark}", 100.0 * report.kernels[i].share)
        };
        print_line(row(&format!("{:<18} {}", kernel.kernel, kernel.shape), reports.iter().map(share)))?;
    }
    if !first.iterations.is_empty() {
        print_line(format!("\n{heads}\nmedian of an iteration"))?;
    }
    for (i, iteration) in first.iterations.iter().enumerate() {
        let median = |report: &Report| time(report.iterations[i].seconds.median);
        print_line(row(&name(iteration), reports.iter().map(median)))?;
    }
    Ok(())
}

/// What it is, then a column for each instruction set.
fn row(what: &str, columns: impl Iterator<Item = String>) -> String {
    let columns: String = columns.map(|column| format!(" {column:>10}")).collect();
    format!("{what:<61}{columns}")
}
