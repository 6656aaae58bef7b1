//! The frame that plots share: axes, scales, ticks. Drawn as SVG whose colours are the page's.

use super::{Measured, number};

/// Size of the drawing in its own units; text is 12 of them, so that it can still be read on a phone.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 270.0;
/// Edges of the part with data.
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 46.0;
/// Ticks of an axis, about.
const TICKS: f64 = 5.0;
/// Values of a doubling axis that are named.
const NAMED: usize = 10;

/// Series that differ in colour; also the number of classes `s0`, `s1`, … in page.css.
pub(super) const COLOURS: usize = 7;
/// A mark for each, so that colour is not needed to tell them apart: circle, square, triangle, diamond, cross,
/// triangle down, bar. Around (0, 0).
const MARKS: [&str; COLOURS] = [
    "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    "M-3.2-3.2h6.4v6.4h-6.4z",
    "M0-4.4L4.2 3.2H-4.2z",
    "M0-4.8L4.8 0L0 4.8L-4.8 0z",
    "M-1.3-4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
    "M0 4.4L4.2-3.2H-4.2z",
    "M-1.6-4.4h3.2v8.8h-3.2z",
];

/// An axis of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// How values become places.
    pub scale: Scale,
}

/// How an axis divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Shares from 0 to 1, in percent.
    Share,
    /// Equal distances are equal differences.
    Linear,
    /// Batch sizes: each doubling is as far, and each value of the data is named.
    Doubling,
    /// Losses: decades.
    Logarithmic,
}

/// A horizontal line to hold the others against, such as what chance gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// What stands beside the line.
    pub name: String,
    /// Where on the vertical axis it is.
    pub value: f64,
}

impl Axis {
    /// An axis with this label.
    pub fn new(label: impl Into<String>, scale: Scale) -> Axis {
        Axis { label: label.into(), scale }
    }

    /// A value as this axis writes it.
    pub(super) fn show(&self, value: f64) -> String {
        match self.scale {
            Scale::Share => number::percent(value),
            Scale::Doubling => value.to_string(),
            Scale::Linear | Scale::Logarithmic => number::significant(value),
        }
    }

    pub(super) fn show_measured(&self, value: Measured) -> String {
        match self.scale {
            Scale::Share => number::percent_with_interval(value),
            _ => number::with_interval(value, |v| self.show(v)),
        }
    }

    /// The difference of two values, with its sign; of shares in points of a hundred.
    pub(super) fn show_difference(&self, value: Measured) -> String {
        match self.scale {
            Scale::Share => {
                let points = number::with_interval(value, |v| number::signed(number::fixed(100.0 * v, 1)));
                format!("{points}{}points", number::SPACE)
            }
            _ => number::with_interval(value, |v| number::signed(self.show(v))),
        }
    }

    /// Whether a value has a place on it.
    pub(super) fn holds(&self, value: f64) -> bool {
        match self.scale {
            Scale::Share | Scale::Linear => value.is_finite(),
            Scale::Doubling | Scale::Logarithmic => value.is_finite() && value > 0.0,
        }
    }
}

impl Level {
    /// A line with this name at this height.
    pub fn new(name: impl Into<String>, value: f64) -> Level {
        Level { name: name.into(), value }
    }
}

/// The numbers that an interval adds to a mean, for finding the range of an axis.
pub(super) fn extent(value: Measured) -> impl Iterator<Item = f64> {
    [value.mean].into_iter().chain(value.interval_95.into_iter().flatten())
}

pub(super) fn mark(series: usize) -> &'static str {
    MARKS[series % COLOURS]
}

/// An axis laid along the drawing.
pub(super) struct Span {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    pub ticks: Vec<Tick>,
}

pub(super) struct Tick {
    pub at: f64,
    pub text: String,
}

impl Span {
    pub(crate) fn across(axis: &Axis, values: impl Iterator<Item = f64>) -> Span {
        Span::new(axis, values, LEFT, RIGHT)
    }

    pub(crate) fn up(axis: &Axis, values: impl Iterator<Item = f64>) -> Span {
        Span::new(axis, values, BOTTOM, TOP)
    }

    fn new(axis: &Axis, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Span {
        let mut values: Vec<f64> = values.filter(|&v| axis.holds(v)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (low, high) = match values[..] {
            [] => (1.0, 2.0),
            [only] => (only, only),
            [first, .., last] => (first, last),
        };
        let (low, high, marks) = match axis.scale {
            Scale::Share => {
                let high = high.max(1.0);
                (low.min(0.0), high, steps(low.min(0.0), high))
            }
            Scale::Linear => {
                let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
                (low, high, steps(low, high))
            }
            Scale::Doubling => {
                let every = values.len().div_ceil(NAMED).max(1);
                // Room at both sides for marks that stand beside each other.
                (low / 1.25, high * 1.25, values.into_iter().step_by(every).collect())
            }
            Scale::Logarithmic => decades(low, high),
        };
        let mut span = Span { scale: axis.scale, low, high, from, to, ticks: vec![] };
        let text = |v: f64| match axis.scale {
            Scale::Share => format!("{}{}%", number::fixed(100.0 * v, 0), number::SPACE),
            Scale::Doubling => v.to_string(),
            Scale::Linear => plain(v, high - low),
            Scale::Logarithmic if (0.01..1_000.0).contains(&v) => plain(v, v),
            Scale::Logarithmic => format!("{v:e}").replace('-', "−"),
        };
        span.ticks = marks.into_iter().map(|v| Tick { at: span.at(v), text: text(v) }).collect();
        span
    }

    /// Where a value lies that the axis holds.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let along = |v: f64| match self.scale {
            Scale::Share | Scale::Linear => v,
            Scale::Doubling | Scale::Logarithmic => v.ln(),
        };
        let share = (along(value) - along(self.low)) / (along(self.high) - along(self.low));
        self.from + share * (self.to - self.from)
    }
}

/// Multiples of 1, 2 or 5 times a power of ten between two numbers.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * power).into_iter().find(|&s| s >= 0.999 * rough);
    let step = step.unwrap_or(rough);
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// The decades around two numbers above 0 and the powers of ten to name.
fn decades(low: f64, high: f64) -> (f64, f64, Vec<f64>) {
    let first = (low.log10() + 1e-9).floor() as i32;
    let last = ((high.log10() - 1e-9).ceil() as i32).max(first + 1);
    let every = ((last - first) as f64 / TICKS).ceil() as usize;
    (10f64.powi(first), 10f64.powi(last), (first..=last).step_by(every).map(|e| 10f64.powi(e)).collect())
}

/// With the decimals that tell ticks of this range apart.
fn plain(value: f64, range: f64) -> String {
    let decimals = (1.0 - (range / TICKS).abs().log10().floor()).clamp(0.0, 6.0) as usize;
    let text = number::fixed(value, decimals);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// What plot.html draws around the data.
pub(super) struct Frame<'a> {
    pub x: &'a [Tick],
    pub y: &'a [Tick],
    pub x_label: &'a str,
    pub y_label: &'a str,
}

impl Frame<'_> {
    pub(crate) fn width(&self) -> f64 {
        WIDTH
    }
    pub(crate) fn height(&self) -> f64 {
        HEIGHT
    }
    pub(crate) fn left(&self) -> f64 {
        LEFT
    }
    pub(crate) fn right(&self) -> f64 {
        RIGHT
    }
    pub(crate) fn bottom(&self) -> f64 {
        BOTTOM
    }
    /// Baseline of the numbers under the axis, and of its label.
    pub(crate) fn numbers(&self) -> f64 {
        BOTTOM + 16.0
    }
    pub(crate) fn label(&self) -> f64 {
        BOTTOM + 36.0
    }
    pub(crate) fn across(&self) -> f64 {
        (LEFT + RIGHT) / 2.0
    }
    pub(crate) fn middle(&self) -> f64 {
        (TOP + BOTTOM) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, values: &[f64]) -> Vec<String> {
        let span = Span::across(&Axis::new("", scale), values.iter().copied());
        span.ticks.into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_range() {
        assert_eq!(texts(Scale::Share, &[0.3, 0.5]), [0, 20, 40, 60, 80, 100].map(|p| format!("{p}\u{a0}%")));
        assert_eq!(texts(Scale::Linear, &[0.0, 1999.0]), ["0", "500", "1000", "1500"]);
        assert_eq!(texts(Scale::Linear, &[-0.04, 0.05]), ["−0.04", "−0.02", "0", "0.02", "0.04"]);
        assert_eq!(texts(Scale::Doubling, &[8.0, 1.0, 2.0, 1.0]), ["1", "2", "8"]);
        assert_eq!(texts(Scale::Logarithmic, &[3e-4, 0.9]), ["1e−4", "1e−3", "0.01", "0.1", "1"]);
    }

    #[test]
    fn an_axis_without_data_or_with_one_value_is_drawn_all_the_same() {
        for scale in [Scale::Share, Scale::Linear, Scale::Doubling, Scale::Logarithmic] {
            for values in [&[][..], &[f64::NAN], &[3.0], &[-1.0]] {
                let span = Span::across(&Axis::new("", scale), values.iter().copied());
                assert!(span.at(3.0).is_finite() && span.ticks.iter().all(|tick| tick.at.is_finite()));
            }
        }
    }

    #[test]
    fn doublings_are_equally_far() {
        let span = Span::across(&Axis::new("", Scale::Doubling), [1.0, 2.0, 4.0].into_iter());
        assert!((span.at(2.0) - span.at(1.0) - (span.at(4.0) - span.at(2.0))).abs() < 1e-9);
    }
}
