//! The similarity matrix as a heat map that can be read as a table.

use std::cmp::Ordering;

use askama::Template;

use super::number;
use crate::report::ReportError;

/// Candidate names that get a column; those that no row thinks of go first.
const MOST_COLUMNS: usize = 24;

/// Similarities of rows to candidate names.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// What a row is: `label`, `reconstruction`.
    pub of: String,
    /// Candidate names.
    pub columns: Vec<String>,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

/// The similarities of one label index or reconstruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `3`
    pub name: String,
    /// One for each candidate name, in [0, 1].
    pub values: Vec<f64>,
    /// The column that was read out.
    pub chosen: Option<usize>,
    /// The column that is true.
    pub truth: Option<usize>,
}

impl Matrix {
    pub(super) fn html(&self) -> Result<String, ReportError> {
        let count = self.columns.len();
        for row in &self.rows {
            let highest = row.chosen.max(row.truth).unwrap_or(0);
            if row.values.len() != count || highest >= count {
                return Err(ReportError::Section {
                    what: format!("row {:?} of a similarity matrix", row.name),
                    expected: format!("a value for each of {count} names"),
                    found: format!("{} values, name {highest} marked", row.values.len()),
                });
            }
        }
        let shown = self.shown_columns();
        let rows = self.rows.iter().map(|row| Shown {
            name: &row.name,
            cells: shown.iter().map(|&column| Square::of(row, column)).collect(),
        });
        let view = View {
            of: &self.of,
            columns: shown.iter().map(|&column| self.columns[column].as_str()).collect(),
            rows: rows.collect(),
            left_out: count - shown.len(),
            highest_left_out: self.highest_outside(&shown),
        };
        Ok(view.render()?)
    }

    /// All columns, or the marked ones and those with the highest values, in their own order.
    fn shown_columns(&self) -> Vec<usize> {
        let marked = |column| self.rows.iter().any(|r| r.chosen == Some(column) || r.truth == Some(column));
        let highest = |column| self.rows.iter().map(|r: &Row| r.values[column]).fold(0.0, f64::max);
        let mut ranked: Vec<(bool, f64, usize)> =
            (0..self.columns.len()).map(|column| (marked(column), highest(column), column)).collect();
        ranked.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal)));
        let always = ranked.iter().take_while(|(marked, ..)| *marked).count();
        let mut shown: Vec<usize> = ranked.iter().take(MOST_COLUMNS.max(always)).map(|r| r.2).collect();
        shown.sort_unstable();
        shown
    }

    fn highest_outside(&self, shown: &[usize]) -> String {
        let outside = (0..self.columns.len()).filter(|column| !shown.contains(column));
        let values = outside.flat_map(|column| self.rows.iter().map(move |row| row.values[column]));
        number::fixed(values.fold(0.0, f64::max), 2)
    }
}

#[derive(Template)]
#[template(path = "matrix.html")]
struct View<'a> {
    of: &'a str,
    columns: Vec<&'a str>,
    rows: Vec<Shown<'a>>,
    left_out: usize,
    highest_left_out: String,
}

struct Shown<'a> {
    name: &'a str,
    cells: Vec<Square>,
}

struct Square {
    text: String,
    /// In [0, 1]: opacity of its colour.
    heat: f64,
    /// Of the text on it.
    class: &'static str,
    chosen: bool,
    truth: bool,
}

impl Square {
    fn of(row: &Row, column: usize) -> Square {
        let value = row.values[column];
        let heat = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        Square {
            text: number::fixed(value, 2),
            heat,
            // Where dark text stops being readable differs between light and dark pages: see page.css.
            class: match heat {
                h if h >= 0.75 => "hot",
                h if h >= 0.55 => "warm",
                h if h < 0.005 => "cold",
                _ => "cool",
            },
            chosen: row.chosen == Some(column),
            truth: row.truth == Some(column),
        }
    }
}
