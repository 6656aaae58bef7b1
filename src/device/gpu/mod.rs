//! The GPU device on wgpu: Vulkan, Metal, DX12.
//!
//! A plan's steps become launches: a finished shader, its parameters, its buffers and
//! its dispatch size. Everything they need is made when a plan is compiled; a replay only encodes.

mod adapter;
mod context;
mod executable;
mod kernels;
mod launch;
mod memory;
mod pace;
mod pipeline;
mod probe;

use std::sync::Arc;

use super::{
    Device, DeviceError, DeviceInfo, Executable,
    probe::{Limit, Probe},
};
use crate::plan::Plan;
use context::Context;
use executable::GpuExecutable;

/// How a [`Gpu`] is chosen and how its shaders are compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct GpuOptions {
    /// Takes a software driver such as lavapipe or WARP if there is no GPU.
    pub allow_software: bool,
    /// Compiles shaders with bounds checks and loop bounds, as for text from a stranger.
    pub checked: bool,
}

/// An opened adapter, and the pipelines compiled on it so far.
pub struct Gpu {
    context: Arc<Context>,
}

/// A finished shader, for tools that look at its text.
pub struct Shader {
    /// Name of the kernel's file in `shaders/`.
    pub kernel: &'static str,
    /// WGSL with one entry point, `main`.
    pub source: String,
}

impl Gpu {
    /// Opens the best adapter: a discrete GPU before an integrated one, software last and only if allowed.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`] if there is none, [`DeviceError::Failed`] if its driver refuses.
    pub fn new(options: GpuOptions) -> Result<Self, DeviceError> {
        let adapter = adapter::choose(options.allow_software)?;
        Ok(Gpu { context: Arc::new(Context::open(&adapter, options.checked)?) })
    }

    /// Every adapter that a driver offers, usable or not.
    pub fn adapters() -> Vec<DeviceInfo> {
        adapter::all().iter().map(|adapter| adapter::info(&adapter.get_info())).collect()
    }

    /// The shaders that a plan would run, in order. Needs no adapter.
    ///
    /// # Errors
    /// As for [`Device::compile`], as far as no device is needed.
    pub fn shaders(plan: &Plan) -> Result<Vec<Shader>, DeviceError> {
        let launches = kernels::launches(&plan.with_sums_apart())?;
        Ok(launches.into_iter().map(|l| Shader { kernel: l.kernel, source: l.source }).collect())
    }

    /// The shaders of the probes. Needs no adapter.
    pub fn probe_shaders() -> Result<Vec<Shader>, DeviceError> {
        let shader = |limit| {
            let (launch, ..) = probe::prepare(limit, 1 << 20)?;
            Ok(Shader { kernel: launch.kernel, source: launch.source })
        };
        [Limit::Arithmetic, Limit::Memory].into_iter().map(shader).collect()
    }
}

impl Device for Gpu {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(GpuExecutable::new(self.context.clone(), &plan.with_sums_apart())?))
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        let plan = plan.with_sums_apart();
        memory::required(&self.context, &plan, &kernels::launches(&plan)?)
    }

    fn info(&self) -> DeviceInfo {
        self.context.info.clone()
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        probe::probe(self.context.clone(), limit)
    }
}
