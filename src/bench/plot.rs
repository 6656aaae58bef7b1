//! Sweeps as pictures and as tables for other programs.

use std::fmt::Write;

use plotters::prelude::*;

use super::scaling::{Axis, Growth, Point};

const SIZE: (u32, u32) = (720, 440);

/// Milliseconds per iteration, and per trial or picture, over the axis, both logarithmic: an SVG file. What grows in
/// proportion rises by one decade a decade; what costs the same for each lies flat.
///
/// # Errors
/// What the drawing library says.
pub fn svg(axis: Axis, points: &[Point]) -> Result<String, String> {
    let mut text = String::new();
    draw(axis, points, &mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

fn draw(axis: Axis, points: &[Point], text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let unit = match axis {
        Axis::Batch => Some("per picture"),
        Axis::Trials => Some("per trial"),
        Axis::Width => None,
    };
    let whole: Vec<(f64, f64)> = points.iter().map(|p| (p.value as f64, 1e3 * p.seconds())).collect();
    let shared: Vec<(f64, f64)> = whole.iter().map(|&(n, ms)| (n, ms / n)).collect();
    let mut lines = vec![("per iteration", &whole, BLUE)];
    lines.extend(unit.map(|name| (name, &shared, RED)));
    let all = || lines.iter().flat_map(|line| line.1.iter());
    let range = |pick: fn(&(f64, f64)) -> f64, room: f64| {
        let values = || all().map(pick);
        values().fold(f64::INFINITY, f64::min) / room..values().fold(0.0, f64::max) * room
    };

    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let victim = points.first().map_or(String::new(), |p| {
        format!("{} {}", p.measured.architecture, p.measured.options).trim_end().to_string()
    });
    let title = match axis {
        Axis::Width => "convnet<width>, B=1, T=1".into(),
        Axis::Batch => format!("{victim}, T=1"),
        Axis::Trials => format!("{victim}, B=1"),
    };
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(range(|p| p.0, 1.1).log_scale().base(2.0), range(|p| p.1, 1.5).log_scale())?;
    chart.configure_mesh().x_desc(axis.name()).y_desc("milliseconds").disable_x_mesh().draw()?;
    for (name, line, colour) in lines {
        chart
            .draw_series(LineSeries::new(line.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().border_style(BLACK).background_style(WHITE).draw()?;
    area.present()?;
    Ok(())
}

/// Comma-separated, a line a point.
pub fn csv(sweeps: &[Growth]) -> String {
    let mut text = String::from(
        "axis,value,rounds,architecture,options,batch,trials,median_s,lower_quartile_s,upper_quartile_s,per_trial_s,flops,\
         bytes,memory_bytes\n",
    );
    for Growth { axis, points, .. } in sweeps {
        for Point { value, rounds, measured: m } in points {
            let totals = m.totals.unwrap_or_default();
            let _ = writeln!(
                text,
                "{},{value},{rounds},{},{},{},{},{:e},{:e},{:e},{:e},{},{},{}",
                axis.name(),
                m.architecture,
                m.options,
                m.batch,
                m.trials,
                m.seconds.median,
                m.seconds.lower_quartile,
                m.seconds.upper_quartile,
                m.seconds_per_trial,
                totals.flops,
                totals.bytes,
                totals.memory
            );
        }
    }
    text
}
