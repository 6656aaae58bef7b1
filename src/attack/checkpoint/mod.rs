//! An attack on disk, as far as it has come: stopped or killed, it goes on from there and ends with the same bits.
//!
//! A process makes attacks in an order that follows from what it was asked; an attack has rounds of trials, a round has
//! stages. Each stage of a round is a file: complete, or where it stood.

mod identity;
mod store;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use identity::Identity;
pub use store::{Attack, Checkpoints, RoundCheckpoint, StageCheckpoint};

use super::{Found, course::Standing, lbfgs::Search};

/// What a stage of a round left.
#[derive(Serialize, Deserialize)]
pub(super) enum Kept {
    /// Adam, somewhere in between.
    Standing(Standing),
    /// Adam, at the end, where the next stage goes on.
    HandedOn(Standing),
    /// L-BFGS, somewhere in between.
    Searching(Search),
    Found(Vec<Found>),
}

/// Why an attack cannot be left or taken up again.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A checkpoint cannot be opened.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file or folder of checkpoints.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The disk is full, or the folder may not be written to.
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable {
        /// The file or folder of checkpoints.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is not what this program writes.
    #[error("{} is no checkpoint of an attack, or damaged: {problem}", path.display())]
    Damaged {
        /// The file or folder of checkpoints.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The user asked for something else than what was stopped.
    #[error("{} is the checkpoint of another attack: {what} was {was}, is {is}", path.display())]
    Other {
        /// The file or folder of checkpoints.
        path: PathBuf,
        /// The first setting that differs.
        what: String,
        /// Its value in the checkpoint.
        was: String,
        /// Its value now.
        is: String,
    },
}
