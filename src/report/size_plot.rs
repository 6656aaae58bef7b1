//! Lines with intervals over batch size, as an SVG file.

use std::{ops::Range, path::Path};

use plotters::{
    coord::{
        Shift,
        ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    },
    prelude::*,
};

use super::{ReportError, html::Measured};
use crate::data::atomic;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 420;
/// Panels beside each other.
const ACROSS: usize = 2;
/// Told apart by people who see colours differently, too (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];
/// How far the intervals of one batch size stand apart, in doublings.
const APART: f64 = 0.035;
/// Room beside the first and the last batch size, in doublings.
const BESIDE: f64 = 0.3;

/// One picture of several beside each other.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// Above the plot.
    pub title: String,
    /// A line each.
    pub series: Vec<Series>,
    /// A dashed line at this height, and what it is.
    pub level: Option<(&'static str, f64)>,
}

/// A line over batch size.
#[derive(Clone, Debug)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// Batch size and value.
    pub points: Vec<(usize, Measured)>,
}

/// Writes all panels, with the same axes, to an SVG file; `y`: what is measured, `range`: its least extent.
pub fn write(path: &Path, panels: &[Panel], y: &str, range: [f64; 2]) -> Result<(), ReportError> {
    let problem = |problem| ReportError::Plot { path: path.into(), problem };
    Ok(atomic::write_bytes(path, svg(panels, y, range).map_err(problem)?.as_bytes())?)
}

/// The same as text; an error is what the drawing library says.
fn svg(panels: &[Panel], y: &str, range: [f64; 2]) -> Result<String, String> {
    let mut text = String::new();
    let down = panels.len().div_ceil(ACROSS).max(1);
    let across = panels.len().clamp(1, ACROSS);
    let size = (WIDTH * across as u32, HEIGHT * down as u32);
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(|error| error.to_string())?;
        for (panel, part) in panels.iter().zip(area.split_evenly((down, across))) {
            draw_panel(&part, panel, y, range).map_err(|error| error.to_string())?;
        }
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(text)
}

/// Batch sizes by their logarithm: each doubling is as far, and each size is marked.
struct Doublings(Vec<usize>);

fn place(size: usize) -> f64 {
    (size as f64).log2()
}

impl Ranged for Doublings {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let Range { start, end } = self.range();
        let share = (value - start) / (end - start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.0.iter().map(|&size| place(size)).collect()
    }

    fn range(&self) -> Range<f64> {
        let end = |size: Option<&usize>| size.map_or(0.0, |&size| place(size));
        end(self.0.first()) - BESIDE..end(self.0.last()) + BESIDE
    }
}

impl ValueFormatter<f64> for Doublings {
    fn format_ext(&self, value: &f64) -> String {
        value.exp2().round().to_string()
    }
}

type Area<'t> = DrawingArea<SVGBackend<'t>, Shift>;

fn draw_panel(
    area: &Area,
    panel: &Panel,
    y: &str,
    [low, high]: [f64; 2],
) -> Result<(), Box<dyn std::error::Error>> {
    let all = || panel.series.iter().flat_map(|s| &s.points);
    let mut sizes: Vec<usize> = all().map(|p| p.0).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let ends = all().flat_map(|p| [p.1.mean].into_iter().chain(p.1.interval_95.into_iter().flatten()));
    let ends: Vec<f64> = ends.chain(panel.level.map(|level| level.1)).collect();
    let sizes = Doublings(sizes);
    let Range { start: first, end: last } = sizes.range();
    let bottom = ends.iter().copied().fold(low, f64::min);
    let top = ends.iter().copied().fold(high, f64::max);
    let room = 0.03 * (top - bottom);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(sizes, bottom..top + room)?;
    chart
        .configure_mesh()
        .x_desc("pictures in a batch")
        .y_desc(y)
        .y_label_formatter(&|y| format!("{y:.1}"))
        .disable_x_mesh()
        .max_light_lines(0)
        .draw()?;
    if let Some((name, height)) = panel.level {
        let grey = RGBColor(120, 120, 120);
        let ends = [(first, height), (last, height)];
        chart
            .draw_series(DashedLineSeries::new(ends, 6, 4, grey.stroke_width(1)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], grey.stroke_width(1)));
    }
    for (i, series) in panel.series.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let aside = APART * (i as f64 - (panel.series.len() - 1) as f64 / 2.0);
        let at = |size: usize| place(size) + aside;
        let means = series.points.iter().map(|(size, value)| (at(*size), value.mean));
        chart
            .draw_series(LineSeries::new(means, colour.stroke_width(2)).point_size(3))?
            .label(&series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        let intervals = series.points.iter().filter_map(|(size, value)| {
            let [low, high] = value.interval_95?;
            Some(PathElement::new([(at(*size), low), (at(*size), high)], colour.stroke_width(1)))
        });
        chart.draw_series(intervals)?;
    }
    if panel.series.len() + usize::from(panel.level.is_some()) > 1 {
        chart
            .configure_series_labels()
            // Originals are high and reconstructions of large batches low: between them is room.
            .position(SeriesLabelPosition::MiddleRight)
            .border_style(RGBColor(200, 200, 200))
            .background_style(WHITE.mix(0.85))
            .draw()?;
    }
    Ok(())
}
