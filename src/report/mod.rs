//! What a run leaves behind for people to look at.

mod caption;
mod folder;
pub mod html;
mod picture_grid;
mod run;
pub mod size_plot;
pub mod terminal;

pub use crate::data::atomic;
pub use folder::OutputFolder;
pub use picture_grid::{picture_grid, write_picture_grid};
pub use run::{
    Batch, Defences, Figures, Floors, GuidanceRecord, Restart, RunReport, ThreatRecord, Timing, figures,
};

use std::path::PathBuf;

use crate::data::DataError;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("picture grid: expected {expected}, found {found}")]
    Grid { expected: String, found: String },
    #[error("report.html, {what}: expected {expected}, found {found}")]
    Section { what: String, expected: String, found: String },
    #[error("report.html: {0}")]
    Template(#[from] askama::Error),
    #[error("{} cannot be drawn: {problem}", path.display())]
    Plot { path: PathBuf, problem: String },
    #[error("pictures cannot be shown in this terminal: {0}")]
    Terminal(#[from] viuer::ViuError),
    #[error(transparent)]
    Data(#[from] DataError),
}
