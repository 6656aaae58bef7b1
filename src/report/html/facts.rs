//! Terms and what they are here: versions, device, settings.

use askama::Template;

use crate::report::ReportError;

#[derive(Clone, Debug, Default, PartialEq, Template)]
#[template(path = "facts.html")]
pub struct Facts {
    /// Term and description.
    pub facts: Vec<(String, String)>,
}

impl Facts {
    pub fn new() -> Facts {
        Facts::default()
    }

    pub fn with(mut self, term: impl Into<String>, description: impl ToString) -> Facts {
        self.facts.push((term.into(), description.to_string()));
        self
    }

    pub(super) fn html(&self) -> Result<String, ReportError> {
        Ok(self.render()?)
    }
}
