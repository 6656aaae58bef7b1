//! What can go wrong with a sweep, and whose mistake it is.

use std::path::PathBuf;

use super::{Block, Cell, Difference};
use crate::{audit::AuditError, data::DataError, files::program, report::ReportError};

/// Why a sweep fails.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// An audit of a cell fails.
    #[error(transparent)]
    Audit(Box<AuditError>),
    /// The data set cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The user gave an empty list, or a 0.
    #[error("{what}: expected 1 or more, found 0")]
    Nothing {
        /// What there is none of.
        what: &'static str,
    },
    /// Two victims, sizes, defences or seeds of the user's are equal.
    #[error("the sweep has a cell twice: {cell}")]
    Twice {
        /// The cell.
        cell: Box<Cell>,
    },
    /// The data set does not have so many batches by this rule.
    #[error("{batches} batches of {batch_size}: {cause}")]
    Batches {
        /// `B`
        batch_size: usize,
        /// How many were asked for.
        batches: usize,
        /// What is missing.
        cause: DataError,
    },
    /// The user gave a defence that cannot be; the text says why.
    #[error("a defence: {0}")]
    Defence(String),
    /// The data set has more classes than the victim.
    #[error("data set {data} has label {label}, {victim} has {classes} classes")]
    Label {
        /// The data set.
        data: String,
        /// The largest label.
        label: usize,
        /// Its architecture.
        victim: String,
        /// Of the victim.
        classes: usize,
    },
    /// The folder has results, and their journal is gone.
    #[error("{}: results without the journal that they come from: give another folder, or remove them", path.display())]
    NoJournal {
        /// The results.
        path: PathBuf,
    },
    /// The folder has a sweep with other options.
    #[error("{}: results of another configuration: {difference}. Give another folder, or the options that it had", path.display())]
    OtherConfiguration {
        /// The file or folder.
        path: PathBuf,
        /// The first of them.
        difference: Difference,
    },
    /// The journal has a cell that these options do not give.
    #[error("{}: a cell that is not part of the sweep: {cell}", path.display())]
    OtherCell {
        /// The file or folder.
        path: PathBuf,
        /// The cell.
        cell: Box<Cell>,
    },
    /// A sweep is running in the folder already.
    #[error("{}: another process writes to it", path.display())]
    Busy {
        /// The file or folder.
        path: PathBuf,
    },
    /// Two journals have different results of one block.
    #[error("{} and {} disagree on {block}: one of both was changed, or another program wrote it", first.display(), second.display())]
    Disagree {
        /// Which batches of which cell.
        block: Box<Block>,
        /// One journal.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A block's numbers do not decode, or are not as many as they should be.
    #[error(
        "the journal's record of {block} does not hold what it should: without it the sweep computes it once more"
    )]
    Unreadable {
        /// Which batches of which cell.
        block: Box<Block>,
    },
    /// Shards are put together before all are done.
    #[error("{missing} of {of} blocks are missing: {list}")]
    Missing {
        /// How many blocks.
        missing: usize,
        /// How many blocks there are.
        of: usize,
        /// The first of them, by shard.
        list: String,
    },
    /// The user gave a folder without journals of shards.
    #[error("{}: no journal of a sweep's shard (journal-001-of-….jsonl)", path.display())]
    NoShards {
        /// The file or folder.
        path: PathBuf,
    },
    /// A line of the journal is not what this program writes.
    #[error(
        "{}, line {line}: {problem}; somebody changed the file. Without this line the sweep computes its cell once more",
        path.display()
    )]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A table cannot be written.
    #[error("{} cannot be made: {cause}", path.display())]
    Results {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        cause: csv::Error,
    },
    /// The program's own file, which identifies it, cannot be read.
    #[error("the program's own file cannot be read: {0}")]
    Program(#[from] program::Unreadable),
    /// Some cells fail; the sweep went on without them.
    #[error(
        "{failed} of {of} cells failed (the others are kept, the same command tries these again), the first at {cell}: \
         {cause}"
    )]
    Cells {
        /// How many.
        failed: usize,
        /// How many cells there are.
        of: usize,
        /// The first that failed.
        cell: Box<Cell>,
        /// Why it failed.
        cause: Box<SweepError>,
    },
    /// Plots or page cannot be written.
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
