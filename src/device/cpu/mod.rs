//! The CPU device: the twin of every kernel, generic over `f32` and `f64`.
//!
//! In `f64` it is the oracle that derivatives and shaders are checked against. In `f32` it is the device
//! of a machine without a GPU. Threads come from the rayon pool that the caller is in; results do
//! not depend on how many there are.

mod convolution;
mod executable;
mod kernels;
mod loops;
mod memory;
mod probe;
mod vectors;

use std::marker::PhantomData;

pub use convolution::Way;
pub use executable::CpuExecutable;
#[cfg(feature = "gpu")]
pub(super) use executable::check;
pub use kernels::Number;
pub use vectors::{Isa, IsaError};

use super::{
    Device, DeviceError, DeviceInfo, Executable,
    probe::{Limit, Probe},
    profile::{self, Profile},
};
use crate::plan::Plan;

/// The processor, computing in `R`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu<R> {
    way: Option<Way>,
    isa: Isa,
    real: PhantomData<R>,
}

impl<R: Number> Cpu<R> {
    /// With the widest vectors that the processor has.
    pub fn new() -> Self {
        Cpu { way: None, isa: Isa::widest(), real: PhantomData }
    }

    /// Computes with the vectors of `isa`.
    pub fn with_isa(self, isa: Isa) -> Self {
        Cpu { isa, ..self }
    }

    /// Computes every convolution that `way` fits in this way, not in the one that is fastest: to test and to time it.
    pub fn with_way(self, way: Way) -> Self {
        Cpu { way: Some(way), ..self }
    }

    /// Allocates the plan's buffers and everything else that a run needs.
    ///
    /// # Errors
    /// [`DeviceError::TooLarge`] if memory does not suffice, [`DeviceError::Failed`] for a plan that
    /// addresses elements outside its buffers.
    pub fn compile_typed(&self, plan: &Plan) -> Result<CpuExecutable<R>, DeviceError> {
        CpuExecutable::new(plan, self.isa, self.way)
    }
}

impl<R: Number> Device for Cpu<R> {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(self.compile_typed(plan)?))
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        executable::required::<R>(plan, self.way)
    }

    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            kind: "cpu".into(),
            name: processor().unwrap_or_else(|| std::env::consts::ARCH.into()),
            backend: "native".into(),
            driver: String::new(),
            software: false,
            isa: Some(self.isa.name().into()),
        }
    }

    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError> {
        let mut executable = self.compile_typed(plan)?;
        profile::fill(plan, &mut executable)?;
        Profile::of(plan.clone(), iterations, || executable.run_timed())
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        probe::probe(self.isa, limit)
    }
}

/// The processor's model name, where the system says it (Linux).
fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
