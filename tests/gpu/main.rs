//! The GPU device: every shader against its twin, the plans that it runs, and what Metal and DX12 would be given.

#![allow(clippy::print_stderr, clippy::print_stdout)]
#![cfg(feature = "gpu")]

#[path = "../common/scene.rs"]
mod scene;
mod step_cases;

mod adjoint;
mod attacks;
mod device;
mod elementary;
mod shaders;
mod translate;
mod tuning;
mod wgsl;
