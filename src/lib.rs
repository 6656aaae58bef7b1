//! Engine and attacks of `gia-gpu`: what a federated update gives away.

pub mod attack;
pub mod device;
pub mod nn;
pub mod plan;
pub mod random;
pub mod tape;
pub mod tensor_file;
