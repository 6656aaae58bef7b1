//! What a sweep found, for a person at a terminal.

use std::fmt::Write;

use super::{
    Source,
    plots::name,
    points::{Line, Point},
};
use crate::report::html::{Measured, number::significant};

/// A row a point of every line, pooled over seeds: pictures and labels, then names by what they are read from.
/// `together`: batches of an aggregation.
pub(crate) fn table(lines: &[Line], together: usize) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:>4}{:>9}{:>9}{:>7}{:>7}{:>10}{:>14}{:>15}",
        "B", "batches", "PSNR dB", "SSIM", "LPIPS", "FMSE", "labels found", "members found"
    );
    each(&mut text, lines, pictures);
    if lines.iter().flat_map(|l| &l.points).any(|p| p.random.is_some()) {
        let _ = writeln!(
            text,
            "\nshare of the labels named right from one batch, in percent, with 95 % intervals"
        );
        let _ = write!(text, "{:>4}", "B");
        for (title, _) in COLUMNS {
            let _ = write!(text, "{title:>21}");
        }
        let _ = writeln!(text, "{:>21}{:>10}{:>8}", format!("pictures of {together}"), "shuffled", "random");
        each(&mut text, lines, names);
    }
    text.trim_end().to_string()
}

/// What names are read from, from the most that can be read to what is known without an update.
const COLUMNS: [(&str, Source); 5] = [
    ("originals", Source::Originals),
    ("model alone", Source::ModelAlone),
    ("features", Source::Features),
    ("pictures", Source::Reconstructions),
    ("both", Source::Both),
];

fn each(text: &mut String, lines: &[Line], row: fn(&mut String, &Point)) {
    let all: Vec<&Line> = lines.iter().collect();
    for line in lines {
        let _ = writeln!(text, "{}", name(line, &all));
        line.points.iter().for_each(|point| row(text, point));
    }
}

fn pictures(text: &mut String, point: &Point) {
    let batches = match point.skipped {
        0 => point.batches.to_string(),
        skipped => format!("{} (−{skipped})", point.batches),
    };
    let (psnr, ssim, irec) = (mean(point.psnr, 1.0, 2), mean(point.ssim, 1.0, 3), mean(point.irec, 100.0, 0));
    let lpips = mean(point.likeness.lpips, 1.0, 3);
    let fmse = point.likeness.fmse.map_or("–".into(), |v| significant(v.mean));
    let members = mean(point.membership, 100.0, 0);
    let _ = writeln!(
        text,
        "{:>4}{batches:>9}{psnr:>9}{ssim:>7}{lpips:>7}{fmse:>10}{irec:>12} %{members:>13} %",
        point.batch_size
    );
}

fn names(text: &mut String, point: &Point) {
    let _ = write!(text, "{:>4}", point.batch_size);
    for (_, source) in COLUMNS {
        let _ = write!(text, "{:>21}", share(point.single.get(&source)));
    }
    let _ = writeln!(
        text,
        "{:>21}{:>10}{:>8}",
        share(point.aggregated.get(&Source::Reconstructions)),
        mean(point.single.get(&Source::Shuffled).copied(), 100.0, 1),
        point.random.map_or("–".into(), |r| format!("{:.1}", 100.0 * r)),
    );
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
