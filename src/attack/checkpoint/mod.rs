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

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable { path: PathBuf, cause: std::io::Error },
    #[error("{} is no checkpoint of an attack, or damaged: {problem}", path.display())]
    Damaged { path: PathBuf, problem: String },
    #[error("{} is the checkpoint of another attack: {what} was {was}, is {is}", path.display())]
    Other { path: PathBuf, what: String, was: String, is: String },
}
