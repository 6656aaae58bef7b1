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

/// Why a report cannot be made or written.
#[cfg(feature = "report")]
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder belongs to another process, or has results.
    #[error(transparent)]
    Claim(#[from] crate::files::claim::ClaimError),
    /// Frames of an animation do not go together: a bug in the caller.
    #[error("animation: expected {expected}, found {found}")]
    Animation {
        /// What would do.
        expected: String,
        /// What there is.
        found: String,
    },
    /// Pictures of a grid do not go together: a bug in the caller.
    #[error("picture grid: expected {expected}, found {found}")]
    Grid {
        /// What would do.
        expected: String,
        /// What there is.
        found: String,
    },
    /// A section's parts do not go together: a bug in the caller.
    #[error("report.html, {what}: expected {expected}, found {found}")]
    Section {
        /// Which section.
        what: String,
        /// What would do.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The page's template fails.
    #[error("report.html: {0}")]
    Template(#[from] askama::Error),
    /// A plot cannot be drawn or written.
    #[error("{} cannot be drawn: {problem}", path.display())]
    Plot {
        /// The plot's file.
        path: PathBuf,
        /// What the library says.
        problem: String,
    },
    /// The terminal does not take pictures.
    #[error("pictures cannot be shown in this terminal: {0}")]
    Terminal(#[from] viuer::ViuError),
    /// A picture cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file of tensors cannot be written.
    #[error(transparent)]
    File(#[from] crate::tensor_file::TensorFileError),
}
