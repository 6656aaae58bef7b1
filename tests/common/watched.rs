//! A device that is watched while it works.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use gia_gpu::{
    device::{
        Device, DeviceError, DeviceInfo, Executable,
        cpu::Cpu,
        probe::{Limit, Probe},
        profile::Profile,
    },
    plan::Plan,
};

/// The CPU, counting the plans that it compiles and noting the largest's memory.
#[derive(Clone, Default)]
pub(crate) struct Watched {
    plans: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Device for Watched {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        self.plans.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_max(self.required(plan)? as usize, Ordering::Relaxed);
        Cpu::<f32>::new().compile(plan)
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        Cpu::<f32>::new().required(plan)
    }

    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError> {
        Cpu::<f32>::new().profile(plan, iterations)
    }

    fn info(&self) -> DeviceInfo {
        Cpu::<f32>::new().info()
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        Cpu::<f32>::new().probe(limit)
    }
}

impl Watched {
    /// Plans compiled.
    pub(crate) fn plans(&self) -> usize {
        self.plans.load(Ordering::Relaxed)
    }

    /// Memory of the largest.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}
