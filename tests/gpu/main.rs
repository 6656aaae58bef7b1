//! The GPU device: every shader against its twin, the plans that it runs, and what Metal and DX12 would be given.

#![allow(clippy::print_stderr, clippy::print_stdout)]
#![cfg(feature = "gpu")]

#[path = "../common/bits.rs"]
mod bits;
#[path = "../common/resumed.rs"]
mod resumed;
#[path = "../common/scene.rs"]
mod scene;
mod step_cases;

mod adjoint;
mod attacks;
mod checkpoint;
mod device;
mod elementary;
mod shaders;
mod translate;
mod tuning;
mod wgsl;
