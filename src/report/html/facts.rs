//! Terms and what they are here: versions, device, settings.

use askama::Template;

use crate::report::ReportError;

/// A list of terms.
#[derive(Clone, Debug, Default, PartialEq, Template)]
#[template(path = "facts.html")]
pub struct Facts {
    /// Term and description.
    pub facts: Vec<(String, String)>,
}

impl Facts {
    /// A list without terms.
    pub fn new() -> Facts {
        Facts::default()
    }

    /// The same with one term more.
    pub fn with(mut self, term: impl Into<String>, description: impl ToString) -> Facts {
        self.facts.push((term.into(), description.to_string()));
        self
    }

    pub(super) fn html(&self) -> Result<String, ReportError> {
        Ok(self.render()?)
    }
}
