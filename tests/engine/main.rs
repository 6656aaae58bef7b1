//! The engine: tapes, their derivatives, plans, and the CPU device's kernels and machine code, against definitions, finite
//! differences and PyTorch.

#![allow(clippy::print_stderr, clippy::print_stdout)]
#![cfg(feature = "gpu")]

#[path = "../common/alone.rs"]
mod alone;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/devices.rs"]
mod devices;
#[path = "../common/scene.rs"]
mod scene;

mod cpu_kernels;
mod derivatives;
mod machine_code;
mod plans;
mod pytorch;
mod reference_fixtures;
mod replay;
