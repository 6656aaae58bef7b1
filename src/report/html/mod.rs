//! `report.html`: one file that opens without a network, in light and dark, on a phone and on paper.
//!
//! A caller fills a [`Page`] with plain data and writes it; what kind of section draws what is told at
//! [`Body`]. Each kind is a file here with its template beside it. Whatever comes from the user (names, paths,
//! commands) is escaped by the templates; pictures lie in the page as PNG, plots as SVG.

mod bars;
mod curves;
mod facts;
mod film;
mod headline;
mod matrix;
pub(crate) mod number;
mod page;
mod pictures;
mod plot;
mod ranking;
mod section;
mod table;
mod threat;

pub use bars::{Bars, Group};
pub use curves::{Curves, Point, Series};
pub use facts::Facts;
pub use film::{Film, Strip};
pub use headline::Headline;
pub use matrix::{Matrix, Row};
pub use number::Measured;
pub use page::{KeyFigure, Page, Provenance};
pub use pictures::{Original, PictureBatch, Pictures, Reconstructed};
pub use plot::{Axis, Level, Scale};
pub use ranking::{Hypothesis, Ranking};
pub use section::{Body, Section};
pub use table::{Cell, Table};
pub use threat::Threat;
