//! What a run leaves behind for people to look at.

mod caption;
mod folder;
mod picture_grid;
mod run;
mod statistics;

pub use crate::data::atomic;
pub use folder::OutputFolder;
pub use picture_grid::{picture_grid, write_picture_grid};
pub use run::{
    Batch, Defences, Figures, Floors, Restart, RunReport, ThreatRecord, Timing, figures, noise_like,
};
pub use statistics::Estimate;

use crate::data::DataError;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("picture grid: expected {expected}, found {found}")]
    Grid { expected: String, found: String },
    #[error(transparent)]
    Data(#[from] DataError),
}
