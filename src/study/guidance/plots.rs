//! The figures of a study of guidance over batch size: without, towards the true names, towards those of other classes.

use std::path::{Path, PathBuf};

use super::table::{Row, Towards};
use crate::{
    report::{
        ReportError,
        size_plot::{self, Panel, Series},
    },
    statistics::Estimate,
};

/// Writes `named.svg` and `ssim.svg` with a panel for each λ; their paths.
pub(crate) fn write(folder: &Path, rows: &[Row]) -> Result<Vec<PathBuf>, ReportError> {
    let plots = [
        ("named.svg", "share of labels named right", panels(rows, |row| row.named)),
        ("ssim.svg", "SSIM, one-to-one", panels(rows, |row| row.ssim)),
    ];
    let mut written = vec![];
    for (file, y, panels) in plots {
        let path = folder.join(file);
        size_plot::write(&path, &panels, y, [0.0, 1.0])?;
        written.push(path);
    }
    Ok(written)
}

fn panels(rows: &[Row], value: fn(&Row) -> Estimate) -> Vec<Panel> {
    let mut weights: Vec<f64> = rows.iter().filter_map(|row| row.arm.weight).collect();
    weights.sort_by(f64::total_cmp);
    weights.dedup();
    let panel = |weight: &f64| {
        let series = |name: &str, towards, weight| Series {
            name: name.into(),
            points: rows
                .iter()
                .filter(|row| row.arm.towards == towards && row.arm.weight == weight)
                .map(|row| (row.arm.batch_size, value(row).into()))
                .collect(),
        };
        Panel {
            title: format!("guided with λ = {weight}"),
            series: vec![
                series("no guidance", Towards::Nothing, None),
                series("true names", Towards::TrueNames, Some(*weight)),
                series("names of other classes", Towards::OtherNames, Some(*weight)),
            ],
            level: None,
        }
    };
    weights.iter().map(panel).collect()
}
