//! What a run leaves behind for people to look at.

mod caption;
mod picture_grid;

pub use crate::data::atomic;
pub use picture_grid::{picture_grid, write_picture_grid};

use crate::data::DataError;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("picture grid: expected {expected}, found {found}")]
    Grid { expected: String, found: String },
    #[error(transparent)]
    Data(#[from] DataError),
}
