//! Engine and attacks of `gia-gpu`: what a federated update gives away.

pub mod attack;
#[cfg(feature = "report")]
pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clip;
pub mod data;
pub mod device;
pub mod federated;
pub mod hypotheses;
pub mod metrics;
pub mod nn;
pub mod plan;
pub mod random;
pub mod report;
pub mod semantic;
pub mod spelling;
#[cfg(feature = "report")]
pub mod sweep;
pub mod tape;
pub mod tensor_file;
pub mod train;
#[cfg(feature = "download")]
pub mod weights;
