//! Two distributions of distances over decades, as an SVG file: of pictures that were not in a batch, and of candidates.

use std::path::Path;

use plotters::prelude::*;

use super::ReportError;
use crate::data::atomic;

const SIZE: (u32, u32) = (640, 360);
/// Told apart by people who see colours differently, too (Okabe and Ito).
const OUTSIDERS: RGBColor = RGBColor(0, 114, 178);
const CANDIDATES: RGBColor = RGBColor(213, 94, 0);
/// Bars a decade.
const FINENESS: f64 = 4.0;
/// Smaller distances are drawn here: nothing but rounding.
const SMALLEST: f64 = 1e-9;

/// Writes the shares of both among distances, over their logarithm.
pub fn write(path: &Path, outsiders: &[f64], candidates: &[f64]) -> Result<(), ReportError> {
    let problem = |problem| ReportError::Plot { path: path.into(), problem };
    Ok(atomic::write_bytes(path, svg(outsiders, candidates).map_err(problem)?.as_bytes())?)
}

/// The same as text; an error is what the drawing library says.
fn svg(outsiders: &[f64], candidates: &[f64]) -> Result<String, String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(|e| e.to_string())?;
        let place = |d: &f64| d.max(SMALLEST).log10();
        let low = outsiders.iter().chain(candidates).map(place).fold(0.0, f64::min).floor();
        let bars = (-low * FINENESS) as usize + 1;
        let shares = |distances: &[f64]| -> Vec<f64> {
            let mut counts = vec![0.0; bars];
            let share = 100.0 / distances.len().max(1) as f64;
            let at = |d: &f64| (((place(d) - low) * FINENESS) as usize).min(bars - 1);
            distances.iter().for_each(|d| counts[at(d)] += share);
            counts
        };
        let series =
            [("outsiders", OUTSIDERS, shares(outsiders)), ("candidates", CANDIDATES, shares(candidates))];
        let highest = series.iter().flat_map(|s| &s.2).copied().fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(52)
            .build_cartesian_2d(low..0.1, 0.0..1.05 * highest)
            .map_err(|e| e.to_string())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_desc("distance from the span of the gradient")
            .y_desc("share, %")
            .x_label_formatter(&|exponent| format!("1e{exponent:.0}"))
            .x_labels((1.0 - low) as usize)
            .draw()
            .map_err(|e| e.to_string())?;
        for (name, colour, shares) in series {
            let bar = |(i, share): (usize, f64)| {
                let from = low + i as f64 / FINENESS;
                Rectangle::new([(from, 0.0), (from + 1.0 / FINENESS, share)], colour.mix(0.55).filled())
            };
            let drawn: Vec<_> = shares.into_iter().enumerate().filter(|bar| bar.1 > 0.0).map(bar).collect();
            chart.draw_series(drawn).map_err(|e| e.to_string())?.label(name).legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.mix(0.55).filled())
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE)
            .draw()
            .map_err(|e| e.to_string())?;
        root.present().map_err(|e| e.to_string())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_at_the_left_and_nothing_is_left_out() {
        let drawn = svg(&[0.2, 0.3, 0.4], &[1e-6, 0.0]).unwrap();
        assert!(
            drawn.contains("outsiders") && drawn.contains("candidates") && drawn.contains("1e-9"),
            "{drawn}"
        );
        svg(&[], &[0.5]).unwrap();
    }
}
