//! Lines with intervals: accuracy over batch size, losses over iterations.

use askama::Template;

use super::{
    Axis, Cell, Level, Measured, Scale, Table,
    plot::{COLOURS, Frame, Span, extent, mark},
};
use crate::report::ReportError;

/// Points of a series that are marked and listed one by one.
const FEW: usize = 24;
/// How far intervals of one place stand apart.
const APART: f64 = 5.0;

/// A plot of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// A line each, with its place in the legend.
    pub series: Vec<Series>,
    /// What chance gives, or the like.
    pub levels: Vec<Level>,
}

/// A line of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// In the order of x.
    pub points: Vec<Point>,
}

/// A value with its interval at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// The value there.
    pub y: Measured,
}

impl Series {
    /// A line through values at places, in the order of the places.
    pub fn new(
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, impl Into<Measured>)>,
    ) -> Series {
        let points = points.into_iter().map(|(x, y)| Point { x, y: y.into() });
        Series { name: name.into(), points: points.collect() }
    }

    /// A loss by iteration, as reports keep it.
    pub fn losses(name: impl Into<String>, history: &[(usize, f32)]) -> Series {
        Series::new(name, history.iter().map(|&(iteration, loss)| (iteration as f64, f64::from(loss))))
    }
}

impl Curves {
    /// Accuracy over the number of pictures in a batch.
    pub fn over_batch_size(series: Vec<Series>) -> Curves {
        let x = Axis::new("pictures in a batch", Scale::Doubling);
        Curves { x, y: Axis::new("labels named right", Scale::Share), series, levels: vec![] }
    }

    /// Gradient-matching losses over iterations.
    pub fn of_losses(series: Vec<Series>) -> Curves {
        let x = Axis::new("iteration", Scale::Linear);
        Curves { x, y: Axis::new("matching loss", Scale::Logarithmic), series, levels: vec![] }
    }

    /// The same with one more horizontal line.
    pub fn level(mut self, name: impl Into<String>, value: f64) -> Curves {
        self.levels.push(Level::new(name, value));
        self
    }

    pub(super) fn reading(&self) -> &'static str {
        match self.y.scale {
            Scale::Logarithmic => {
                "How far the gradient of the reconstruction is from the one observed, each step of the scale a \
                 factor of ten; a curve that still falls at its end would gain from more iterations."
            }
            _ => {
                "Thin lines are 95 % intervals. What lies above the dashed line, interval and all, gives \
                 something away."
            }
        }
    }

    fn is_listed(&self) -> bool {
        self.series.iter().all(|s| s.points.len() <= FEW)
    }

    pub(super) fn html(&self, id: &str) -> Result<String, ReportError> {
        let points = || self.series.iter().flat_map(|s| &s.points);
        let levels = self.levels.iter().map(|level| level.value);
        let x = Span::across(&self.x, points().map(|p| p.x));
        let y = Span::up(&self.y, points().flat_map(|p| extent(p.y)).chain(levels));
        let view = View {
            title: format!("{} over {}", self.y.label, self.x.label),
            id,
            series: (0..self.series.len()).map(|i| self.drawn(i, &x, &y)).collect(),
            levels: drawn_levels(&self.levels, &self.y, &y),
            numbers: self.numbers().html()?,
            frame: Frame { x: &x.ticks, y: &y.ticks, x_label: &self.x.label, y_label: &self.y.label },
        };
        Ok(view.render()?)
    }

    fn drawn(&self, index: usize, x: &Span, y: &Span) -> Drawn<'_> {
        let Series { name, points } = &self.series[index];
        let few = self.is_listed();
        let intervals = points.iter().any(|p| p.y.interval_95.is_some());
        let aside = match few && intervals {
            true => APART * (index as f64 - (self.series.len() - 1) as f64 / 2.0),
            false => 0.0,
        };
        let (mut path, mut whiskers, mut marks) = (String::new(), String::new(), vec![]);
        let mut pen_is_down = false;
        for point in points {
            let drawable = self.x.holds(point.x) && self.y.holds(point.y.mean);
            if drawable {
                let (at, height) = (x.at(point.x) + aside, y.at(point.y.mean));
                path += &format!("{}{at:.1} {height:.1}", if pen_is_down { 'L' } else { 'M' });
                if few {
                    let text = format!("{name}, {}: {}", self.x.show(point.x), self.y.show_measured(point.y));
                    marks.push(Mark { x: at, y: height, text });
                }
                let whole = point.y.interval_95.filter(|ends| ends.iter().all(|&end| self.y.holds(end)));
                if let Some([low, high]) = whole {
                    whiskers += &format!("M{at:.1} {:.1}V{:.1}", y.at(low), y.at(high));
                }
            }
            pen_is_down = drawable;
        }
        Drawn {
            colour: index % COLOURS,
            dashed: index >= COLOURS,
            name,
            path,
            whiskers,
            marks,
            mark: mark(index),
        }
    }

    /// The same as a table.
    fn numbers(&self) -> Table {
        if !self.is_listed() {
            let table = Table::new(["", "lowest", "last", &self.x.label]);
            return self.series.iter().fold(table, |table, series| {
                let values = series.points.iter().map(|p| p.y.mean).filter(|v| v.is_finite());
                let number = |value: Option<f64>| value.map_or(Cell::none(), Cell::loss);
                let last = series.points.last();
                table.row([
                    Cell::from(series.name.as_str()),
                    number(values.min_by(f64::total_cmp)),
                    number(last.map(|p| p.y.mean)),
                    last.map_or(Cell::none(), |p| Cell::number(p.x, 0)),
                ])
            });
        }
        let mut places: Vec<f64> = self.series.iter().flat_map(|s| &s.points).map(|p| p.x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let names = self.series.iter().map(|series| series.name.as_str());
        let table = Table::new([self.x.label.as_str()].into_iter().chain(names));
        places.into_iter().fold(table, |table, place| {
            let value = |series: &Series| match series.points.iter().find(|p| p.x == place) {
                Some(point) => Cell { text: self.y.show_measured(point.y), is_number: true },
                None => Cell::none(),
            };
            let first = Cell { text: self.x.show(place), is_number: true };
            table.row([first].into_iter().chain(self.series.iter().map(value)))
        })
    }
}

/// Those that the axis holds, with what their legend says.
pub(super) fn drawn_levels(levels: &[Level], axis: &Axis, y: &Span) -> Vec<DrawnLevel> {
    let held = levels.iter().filter(|level| axis.holds(level.value));
    held.map(|l| DrawnLevel { at: y.at(l.value), text: format!("{}: {}", l.name, axis.show(l.value)) })
        .collect()
}

pub(super) struct DrawnLevel {
    pub at: f64,
    pub text: String,
}

#[derive(Template)]
#[template(path = "curves.html")]
struct View<'a> {
    title: String,
    id: &'a str,
    frame: Frame<'a>,
    series: Vec<Drawn<'a>>,
    levels: Vec<DrawnLevel>,
    numbers: String,
}

struct Drawn<'a> {
    colour: usize,
    dashed: bool,
    name: &'a str,
    /// SVG path data.
    path: String,
    whiskers: String,
    marks: Vec<Mark>,
    mark: &'static str,
}

struct Mark {
    x: f64,
    y: f64,
    text: String,
}
