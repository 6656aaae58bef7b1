//! The GPU device: every shader against its twin, the plans that it runs, and what Metal and DX12 would be given.

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
