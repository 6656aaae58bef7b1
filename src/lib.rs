//! Engine and attacks of `gia-gpu`: what a federated update gives away.

pub mod device;
pub mod plan;
pub mod tape;
pub mod tensor_file;
