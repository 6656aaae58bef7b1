//! What a sweep found, for a person at a terminal.

use std::fmt::Write;

use super::{
    Source,
    plots::name,
    points::{Line, Point},
};
use crate::report::html::Measured;

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
