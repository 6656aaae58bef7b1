//! The client's side: a victim model and the update that its training step gives away.

pub mod client;
mod victim;

pub use client::ClientError;
pub use victim::{DEFAULT_CLASSES, Victim, VictimError, check_classes};
