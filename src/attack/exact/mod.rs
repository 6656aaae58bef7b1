//! Attacks on linear layers that compute what the others approximate: exact inputs of a layer (SPEAR), and whether a
//! picture was in the batch (span membership).

mod agreement;
pub mod batch;
pub mod candidates;
mod choice;
mod error;
pub mod features;
mod greedy;
pub mod inputs;
pub mod inversion;
pub mod labels;
pub mod layers;
pub mod matrix;
pub mod membership;
pub mod per_picture;
pub mod rank;
pub mod residual;
pub mod scale;
pub mod spear;
pub mod spectrum;

pub use batch::{ExactRecord, Spear};
pub use error::ExactError;
pub use scale::Scale;
