//! The eavesdropper: from an observed gradient to labels and pictures.

pub mod config;
pub mod objective;
pub mod prior;
pub mod problem;
