//! Engine and attacks of `gia-gpu`: what a federated update gives away.

pub mod data;
pub mod device;
pub mod metrics;
pub mod plan;
pub mod report;
pub mod tape;
