//! The page around the sections.

use std::{borrow::Cow, path::Path};

use askama::Template;

use super::{Facts, Headline, Section};
use crate::{
    device::DeviceInfo,
    report::{ReportError, atomic},
};

/// A whole page, before it is written as HTML.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// In the window's title and at the top.
    pub title: String,
    /// What was found.
    pub verdict: Headline,
    /// The few numbers behind it.
    pub figures: Vec<KeyFigure>,
    /// From top to bottom.
    pub sections: Vec<Section>,
    /// What is needed to repeat it.
    pub provenance: Provenance,
}

/// A number that is seen first.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFigure {
    /// `67 %`
    pub value: String,
    /// What it is: `of the labels named right`.
    pub meaning: String,
    /// What to hold it against: `random: 10 %`.
    pub beside: String,
}

/// What is needed to repeat it.
#[derive(Clone, Debug, PartialEq)]
pub struct Provenance {
    /// The program: `gia-gpu`.
    pub tool: String,
    /// The program's.
    pub version: String,
    /// As called, an argument each; empty if it cannot be repeated by a command.
    pub command: Vec<String>,
    /// Of all that was drawn.
    pub seed: u64,
    /// Where it was computed.
    pub device: String,
    /// Anything else: data, models, number of batches.
    pub more: Vec<(String, String)>,
}

impl Provenance {
    /// Of this program.
    pub fn new(command: Vec<String>, seed: u64, device: &DeviceInfo) -> Provenance {
        Provenance::of(command, seed, format!("{} ({})", device.name, device.means()))
    }

    /// The same where the device is told in words.
    pub fn of(command: Vec<String>, seed: u64, device: impl Into<String>) -> Provenance {
        Provenance {
            tool: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command,
            seed,
            device: device.into(),
            more: vec![],
        }
    }

    /// The same with one term more.
    pub fn with(mut self, term: impl Into<String>, description: impl ToString) -> Provenance {
        self.more.push((term.into(), description.to_string()));
        self
    }

    /// To paste into a shell.
    fn shell(&self) -> Vec<Cow<'_, str>> {
        // A NUL cannot stand in an argument of a process.
        self.command.iter().map(|a| shlex::try_quote(a).unwrap_or_default()).collect()
    }

    fn facts(&self) -> Facts {
        let facts = Facts::new()
            .with("program", format!("{} {}", self.tool, self.version))
            .with("seed", self.seed)
            .with("device", &self.device);
        self.more.iter().fold(facts, |facts, (term, description)| facts.with(term, description))
    }
}

impl Page {
    /// The whole file.
    ///
    /// # Errors
    /// A picture that is none (see [`crate::data::Picture::check`]), or data whose lengths do not fit together.
    pub fn render(&self) -> Result<String, ReportError> {
        let sections = self.sections.iter().enumerate().map(|(i, section)| {
            let id = format!("section-{}", i + 1);
            Ok(Rendered { section, body: section.body.render(&id)?, id })
        });
        let view = View {
            page: self,
            style: include_str!("page.css"),
            sections: sections.collect::<Result<_, ReportError>>()?,
            command: self.provenance.shell(),
            facts: self.provenance.facts().html()?,
            headline: self.verdict.render()?,
        };
        Ok(view.render()?)
    }

    /// Writes it to a file, which appears whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        Ok(atomic::write_bytes(path, self.render()?.as_bytes())?)
    }
}

struct Rendered<'a> {
    section: &'a Section,
    id: String,
    body: String,
}

#[derive(Template)]
#[template(path = "page.html")]
struct View<'a> {
    page: &'a Page,
    style: &'static str,
    sections: Vec<Rendered<'a>>,
    /// Quoted for a shell.
    command: Vec<Cow<'a, str>>,
    facts: String,
    headline: String,
}
