//! Many attacks side by side: batch sizes, victims, defences and seeds, so that one can see what makes an update give
//! more or less away.
//!
//! A sweep is a list of [`Cell`]s. Each is measured once ([`Record`]) and then stands in a [`Journal`], from which all
//! else follows: the results as CSV ([`results`]), the same pooled over seeds ([`points`]), and plots of these ([`plots`]).
//! A sweep that dies goes on behind the journal's last whole line.

mod configuration;
mod groups;
mod journal;
pub mod plots;
pub mod points;
mod record;
pub mod results;

use std::path::PathBuf;

use crate::{data::DataError, report::ReportError};

pub use configuration::{Configuration, Difference};
pub use groups::Groups;
pub use journal::Journal;
pub use record::{
    BatchRecord, Cell, Figures, Finished, Naming, Pairings, Record, Scores, Shares, Skipped, Source, Timing,
    UNDEFENDED, UNTRAINED, measure,
};

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("{}: results of another configuration: {difference}. Give another folder, or the options that it had", path.display())]
    OtherConfiguration { path: PathBuf, difference: Difference },
    #[error("{}: another process writes to it", path.display())]
    Busy { path: PathBuf },
    #[error(
        "{}, line {line}: {problem}; somebody changed the file. Without this line the sweep computes its cell once more",
        path.display()
    )]
    Damaged { path: PathBuf, line: usize, problem: String },
    #[error("{} cannot be made: {cause}", path.display())]
    Results { path: PathBuf, cause: csv::Error },
    #[error(transparent)]
    Report(#[from] ReportError),
}
