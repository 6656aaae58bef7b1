//! What can go wrong with a sweep, and whose mistake it is.

use std::path::PathBuf;

use super::{Block, Cell, Difference};
use crate::{audit::AuditError, data::DataError, files::program, report::ReportError};

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Audit(Box<AuditError>),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("{what}: expected 1 or more, found 0")]
    Nothing { what: &'static str },
    #[error("the sweep has a cell twice: {cell}")]
    Twice { cell: Cell },
    #[error("{batches} batches of {batch_size}: {cause}")]
    Batches { batch_size: usize, batches: usize, cause: DataError },
    #[error("a defence: {0}")]
    Defence(String),
    #[error("data set {data} has label {label}, {victim} has {classes} classes")]
    Label { data: String, label: usize, victim: String, classes: usize },
    #[error("{}: results without the journal that they come from: give another folder, or remove them", path.display())]
    NoJournal { path: PathBuf },
    #[error("{}: results of another configuration: {difference}. Give another folder, or the options that it had", path.display())]
    OtherConfiguration { path: PathBuf, difference: Difference },
    #[error("{}: a cell that is not part of the sweep: {cell}", path.display())]
    OtherCell { path: PathBuf, cell: Cell },
    #[error("{}: another process writes to it", path.display())]
    Busy { path: PathBuf },
    #[error("{} and {} disagree on {block}: one of both was changed, or another program wrote it", first.display(), second.display())]
    Disagree { block: Box<Block>, first: PathBuf, second: PathBuf },
    #[error(
        "the journal's record of {block} does not hold what it should: without it the sweep computes it once more"
    )]
    Unreadable { block: Box<Block> },
    #[error("{missing} of {of} blocks are missing: {list}")]
    Missing { missing: usize, of: usize, list: String },
    #[error("{}: no journal of a sweep's shard (journal-001-of-….jsonl)", path.display())]
    NoShards { path: PathBuf },
    #[error(
        "{}, line {line}: {problem}; somebody changed the file. Without this line the sweep computes its cell once more",
        path.display()
    )]
    Damaged { path: PathBuf, line: usize, problem: String },
    #[error("{} cannot be made: {cause}", path.display())]
    Results { path: PathBuf, cause: csv::Error },
    #[error("the program's own file cannot be read: {0}")]
    Program(#[from] program::Unreadable),
    #[error(
        "{failed} of {of} cells failed (the others are kept, the same command tries these again), the first at {cell}: \
         {cause}"
    )]
    Cells { failed: usize, of: usize, cell: Cell, cause: Box<SweepError> },
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl From<AuditError> for SweepError {
    fn from(error: AuditError) -> Self {
        SweepError::Audit(Box::new(error))
    }
}

impl SweepError {
    /// Whether the caller asked for what cannot be, as opposed to a failure of what was asked for.
    pub fn is_misuse(&self) -> bool {
        match self {
            SweepError::Audit(error) => error.is_misuse(),
            SweepError::Cells { cause, .. } => cause.is_misuse(),
            SweepError::Nothing { .. }
            | SweepError::Twice { .. }
            | SweepError::Batches { .. }
            | SweepError::Defence(_)
            | SweepError::Label { .. }
            | SweepError::NoJournal { .. }
            | SweepError::NoShards { .. }
            | SweepError::OtherConfiguration { .. } => true,
            _ => false,
        }
    }
}
