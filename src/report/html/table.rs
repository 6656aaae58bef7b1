//! Tables: text to the left, numbers to the right.

use askama::Template;

use super::number::{self, Measured};
use crate::report::ReportError;

/// Rows under column headings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Headings, from left to right.
    pub columns: Vec<String>,
    /// As many cells in each as there are columns; the first names the row.
    pub rows: Vec<Vec<Cell>>,
}

/// One field of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// As it is shown.
    pub text: String,
    /// Stands to the right.
    pub is_number: bool,
}

impl Cell {
    /// A number with so many decimals.
    pub fn number(value: f64, decimals: usize) -> Cell {
        Cell { text: number::fixed(value, decimals), is_number: true }
    }

    /// A loss: four digits that count.
    pub fn loss(value: f64) -> Cell {
        Cell { text: number::significant(value), is_number: true }
    }

    /// With its interval, where there is one.
    pub fn measured(value: impl Into<Measured>, decimals: usize) -> Cell {
        let text = number::with_interval(value.into(), |v| number::fixed(v, decimals));
        Cell { text, is_number: true }
    }

    /// A share in [0, 1] in percent, with its interval, where there is one.
    pub fn share(value: impl Into<Measured>) -> Cell {
        let text = number::percent_with_interval(value.into());
        Cell { text, is_number: true }
    }

    /// A difference, with its sign.
    pub fn difference(value: impl Into<Measured>, decimals: usize) -> Cell {
        let signed = |v: f64| number::signed(number::fixed(v, decimals));
        Cell { text: number::with_interval(value.into(), signed), is_number: true }
    }

    /// A number that there is not.
    pub fn none() -> Cell {
        Cell { text: number::NONE.into(), is_number: true }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell { text: text.into(), is_number: false }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, is_number: false }
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Cell {
        Cell { text: count.to_string(), is_number: true }
    }
}

impl Table {
    /// A table without rows under these headings.
    pub fn new(columns: impl IntoIterator<Item = impl Into<String>>) -> Table {
        Table { columns: columns.into_iter().map(Into::into).collect(), rows: vec![] }
    }

    /// The same with one row more, of as many cells as there are columns.
    pub fn row(mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    pub(super) fn html(&self) -> Result<String, ReportError> {
        // A heading stands over its numbers.
        let is_number = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
            cells.peek().is_some() && cells.all(|cell| cell.is_number)
        };
        let columns = self.columns.iter().enumerate().map(|(i, name)| (name, is_number(i))).collect();
        Ok(View { columns, rows: &self.rows }.render()?)
    }
}

#[derive(Template)]
#[template(path = "table.html")]
struct View<'a> {
    /// Heading, and whether numbers stand under it.
    columns: Vec<(&'a String, bool)>,
    rows: &'a [Vec<Cell>],
}
