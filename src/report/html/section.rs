//! A section: a heading, a line that says how to read it, and what it shows.

use super::{Bars, Curves, Facts, Film, Matrix, Pictures, Ranking, Table, Threat};
use crate::report::ReportError;

/// A part of the page under a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// How to read it, in one line.
    pub reading: String,
    /// What else is to be known: what was left out, what limits it.
    pub notes: Vec<String>,
    /// What it shows.
    pub body: Body,
}

/// What a section shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Originals beside reconstructions, the assignment drawn.
    Pictures(Pictures),
    /// Similarity of rows to names, as a heat map.
    Matrix(Matrix),
    /// Lines with intervals: accuracy over batch size, losses over iterations.
    Curves(Curves),
    /// A few figures side by side in groups: single batch and aggregated, unguided and guided.
    Bars(Bars),
    /// Hypotheses in the order of their loss.
    Ranking(Ranking),
    /// Text and numbers in columns.
    Table(Table),
    /// Terms and what they are here.
    Facts(Facts),
    /// How pictures came about.
    Film(Film),
    /// What the eavesdropper knows and what not.
    Threat(Threat),
}

impl Section {
    /// With what is usually said about how to read such a section.
    pub fn new(title: impl Into<String>, body: impl Into<Body>) -> Section {
        let body = body.into();
        Section { title: title.into(), reading: body.reading().into(), notes: vec![], body }
    }

    /// Says how to read it in other words.
    pub fn reading(mut self, reading: impl Into<String>) -> Section {
        self.reading = reading.into();
        self
    }

    /// The same with one note more.
    pub fn note(mut self, note: impl Into<String>) -> Section {
        self.notes.push(note.into());
        self
    }
}

impl Body {
    fn reading(&self) -> &'static str {
        match self {
            Body::Pictures(pictures) => pictures.reading(),
            Body::Matrix(_) => {
                "A row is what was reconstructed, a column a candidate name, a number how much of the row's \
                 certainty goes to that name: the stronger its colour, the surer. The box is the name read out, the tick the \
                 true one; a box with a tick is a label given away."
            }
            Body::Curves(curves) => curves.reading(),
            Body::Bars(_) => {
                "Each group compares the same batches under different conditions; thin lines are 95 % \
                 intervals. Judge by the paired difference in the table: it is real where its interval leaves \
                 out 0."
            }
            Body::Ranking(_) => {
                "Every hypothesis was reconstructed with the same starts and budget; the one whose pictures \
                 explain the gradient best (lowest loss) is believed. The margin to the next says how firmly."
            }
            Body::Table(_) => "Numbers in brackets are 95 % intervals.",
            Body::Film(_) => {
                "From the first iterate to the picture that was kept, the one with the lowest objective."
            }
            Body::Facts(_) => "What this report was made from.",
            Body::Threat(_) => {
                "The findings hold for an eavesdropper who knows what stands under “granted” and nothing else."
            }
        }
    }

    /// The section's HTML, heading and notes aside. `id`: a prefix for identifiers, unique in the page.
    pub(super) fn render(&self, id: &str) -> Result<String, ReportError> {
        match self {
            Body::Pictures(pictures) => pictures.html(),
            Body::Matrix(matrix) => matrix.html(),
            Body::Curves(curves) => curves.html(id),
            Body::Bars(bars) => bars.html(id),
            Body::Ranking(ranking) => ranking.html(),
            Body::Table(table) => table.html(),
            Body::Facts(facts) => facts.html(),
            Body::Film(film) => film.html(),
            Body::Threat(threat) => threat.html(),
        }
    }
}

macro_rules! bodies {
    ($($kind:ident),*) => { $(
        impl From<$kind> for Body {
            fn from(body: $kind) -> Body {
                Body::$kind(body)
            }
        }
    )* };
}
bodies!(Pictures, Matrix, Curves, Bars, Ranking, Table, Facts, Film, Threat);
