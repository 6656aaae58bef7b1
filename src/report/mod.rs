//! What a run leaves behind for people to look at.

mod advice;
#[cfg(feature = "report")]
mod animation;
#[cfg(feature = "report")]
mod caption;
#[cfg(feature = "report")]
pub mod distances_plot;
#[cfg(feature = "report")]
mod folder;
mod head;
#[cfg(feature = "report")]
pub mod html;
mod likeness;
pub mod limits;
#[cfg(feature = "report")]
mod picture_grid;
mod round;
mod run;
#[cfg(feature = "report")]
pub mod size_plot;
pub mod spreadsheet;
mod stages;
#[cfg(feature = "report")]
pub mod terminal;
mod validity;
mod verdict;

pub use crate::data::atomic;
pub use advice::{Accuracy, Advice, Cost, Tried};
#[cfg(feature = "report")]
pub use animation::animated_gif;
#[cfg(feature = "report")]
pub use folder::OutputFolder;
pub use head::Head;
pub use likeness::{Likeness, LikenessFigures, RankFigures, Ranks};
#[cfg(feature = "report")]
pub use picture_grid::{picture_grid, write_picture_grid};
pub use round::Round;
pub use run::{
    Batch, Defences, Figures, Floors, GuidanceRecord, Restart, RunReport, Skipped, ThreatRecord, Timing,
    figures,
};
pub use stages::StageRecord;
pub use validity::{Test, Testing, Validity};
pub use verdict::{Answer, Finding, Verdict, What};

#[cfg(feature = "report")]
use std::path::PathBuf;

#[cfg(feature = "report")]
use crate::data::DataError;

#[cfg(feature = "report")]
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Claim(#[from] crate::files::claim::ClaimError),
    #[error("animation: expected {expected}, found {found}")]
    Animation { expected: String, found: String },
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
    #[error(transparent)]
    File(#[from] crate::tensor_file::TensorFileError),
}
