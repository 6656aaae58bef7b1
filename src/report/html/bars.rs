//! A few figures side by side, in groups: single batch and aggregated, unguided and guided.

use askama::Template;

use super::{
    Axis, Cell, Level, Measured, Table,
    curves::{DrawnLevel, drawn_levels},
    plot::{COLOURS, Frame, Span, Tick, extent},
};
use crate::report::ReportError;

/// Share of a group's width that its bars fill.
const FILLED: f64 = 0.7;
/// Widest bar.
const WIDEST: f64 = 44.0;

/// Bars in groups, with intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What the groups are: `pictures in a batch`.
    pub x: String,
    /// Linear or shares.
    pub y: Axis,
    /// What is compared; a bar each in every group.
    pub conditions: Vec<String>,
    /// From left to right.
    pub groups: Vec<Group>,
    /// Horizontal lines to hold the bars against.
    pub levels: Vec<Level>,
}

/// Bars that stand together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What stands under it.
    pub name: String,
    /// One for each condition, NaN where there is none.
    pub values: Vec<Measured>,
    /// Of the last condition over the first, paired.
    pub difference: Option<Measured>,
}

impl Bars {
    pub(super) fn html(&self, id: &str) -> Result<String, ReportError> {
        let conditions = self.conditions.len();
        if let Some(group) = self.groups.iter().find(|group| group.values.len() != conditions) {
            return Err(ReportError::Section {
                what: format!("group {:?} of a comparison", group.name),
                expected: format!("a value for each of {conditions} conditions"),
                found: format!("{} values", group.values.len()),
            });
        }
        let values = self.groups.iter().flat_map(|g| &g.values).flat_map(|&v| extent(v));
        // Lengths compare only where bars begin at 0.
        let values = values.chain(self.levels.iter().map(|level| level.value)).chain([0.0]);
        let y = Span::up(&self.y, values);
        let frame = Frame { x: &[], y: &y.ticks, x_label: &self.x, y_label: &self.y.label };
        let pitch = (frame.right() - frame.left()) / self.groups.len().max(1) as f64;
        let centre = |group: usize| frame.left() + pitch * (group as f64 + 0.5);
        let width = (FILLED * pitch / conditions.max(1) as f64).min(WIDEST);
        let ticks: Vec<Tick> =
            (0..).zip(&self.groups).map(|(i, g)| Tick { at: centre(i), text: g.name.clone() }).collect();
        let mut bars = vec![];
        for (i, group) in self.groups.iter().enumerate() {
            for (condition, &value) in group.values.iter().enumerate().filter(|(_, v)| self.y.holds(v.mean)) {
                let x = centre(i) + width * (condition as f64 - conditions as f64 / 2.0);
                let (base, top) = (y.at(0.0), y.at(value.mean));
                let ends = value.interval_95.filter(|ends| ends.iter().all(|&end| self.y.holds(end)));
                bars.push(Bar {
                    colour: condition % COLOURS,
                    x,
                    y: top.min(base),
                    width: 0.92 * width,
                    height: (base - top).abs(),
                    whisker: ends.map(|[low, high]| {
                        format!("M{:.1} {:.1}V{:.1}", x + 0.46 * width, y.at(low), y.at(high))
                    }),
                    text: format!(
                        "{}, {}: {}",
                        group.name,
                        self.conditions[condition],
                        self.y.show_measured(value)
                    ),
                });
            }
        }
        let view = View {
            title: format!("{}: {}", self.y.label, self.conditions.join(", ")),
            id,
            frame: Frame { x: &ticks, ..frame },
            bars,
            conditions: self.conditions.iter().enumerate().map(|(i, name)| (i % COLOURS, name)).collect(),
            levels: drawn_levels(&self.levels, &self.y, &y),
            numbers: self.numbers().html()?,
        };
        Ok(view.render()?)
    }

    fn numbers(&self) -> Table {
        let has_difference = self.groups.iter().any(|g| g.difference.is_some());
        let first = [self.x.clone()].into_iter().chain(self.conditions.iter().cloned());
        let table = Table::new(first.chain(has_difference.then(|| "paired difference".to_owned())));
        let cell = |value: Measured| Cell { text: self.y.show_measured(value), is_number: true };
        self.groups.iter().fold(table, |table, group| {
            let values =
                [group.name.as_str().into()].into_iter().chain(group.values.iter().map(|&v| cell(v)));
            let difference = group
                .difference
                .map_or(Cell::none(), |d| Cell { text: self.y.show_difference(d), is_number: true });
            table.row(values.chain(has_difference.then_some(difference)))
        })
    }
}

#[derive(Template)]
#[template(path = "bars.html")]
struct View<'a> {
    title: String,
    id: &'a str,
    frame: Frame<'a>,
    bars: Vec<Bar>,
    /// Colour and name.
    conditions: Vec<(usize, &'a String)>,
    levels: Vec<DrawnLevel>,
    numbers: String,
}

struct Bar {
    colour: usize,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// SVG path data.
    whisker: Option<String>,
    text: String,
}
