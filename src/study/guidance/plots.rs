//! The figures of a study of guidance over batch size: without, towards the true names, towards those of other classes.

use std::path::{Path, PathBuf};

use super::{
    arms::{Phase, Setting, Towards},
    table::Row,
};
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

/// Of the selection.
fn panels(rows: &[Row], value: fn(&Row) -> Estimate) -> Vec<Panel> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.arm.phase == Phase::Selection).collect();
    let mut settings: Vec<Setting> = vec![];
    for setting in rows.iter().filter_map(|row| row.arm.setting()) {
        if !settings.contains(&setting) {
            settings.push(setting);
        }
    }
    settings.sort_by(|a, b| a.weight.unwrap_or(0.0).total_cmp(&b.weight.unwrap_or(0.0)));
    let panel = |setting: &Setting| {
        let series = |name: &str, towards, of: &dyn Fn(&Row) -> bool| Series {
            name: name.into(),
            points: rows
                .iter()
                .filter(|row| row.arm.towards == towards && of(row))
                .map(|row| (row.arm.batch_size, value(row).into()))
                .collect(),
        };
        let plain = |row: &Row| row.arm.parameterisation == setting.parameterisation;
        let guided = |row: &Row| row.arm.setting() == Some(*setting);
        Panel {
            title: format!("guided with {setting}"),
            series: vec![
                series("no guidance", Towards::Nothing, &plain),
                series("true names", Towards::TrueNames, &guided),
                series("names of other classes", Towards::OtherNames, &guided),
            ],
            level: None,
        }
    };
    settings.iter().map(panel).collect()
}
