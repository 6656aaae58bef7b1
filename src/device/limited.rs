//! A device with less memory than it has.

use super::{
    Device, DeviceError, DeviceInfo, Executable,
    probe::{Limit, Probe},
    profile::Profile,
};
use crate::plan::Plan;

/// Refuses plans that need more than so many bytes.
pub struct Limited<D> {
    device: D,
    bytes: u64,
}

impl<D: Device> Limited<D> {
    /// The device with a limit of so many bytes.
    pub fn new(device: D, bytes: u64) -> Self {
        Limited { device, bytes }
    }
}

impl<D: Device> Device for Limited<D> {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        self.required(plan)?;
        self.device.compile(plan)
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        let needed = self.device.required(plan)?;
        if needed > self.bytes {
            let what = format!("the plan of {} steps and {} buffers", plan.steps.len(), plan.buffers.len());
            return Err(DeviceError::TooLarge {
                what,
                needed,
                limit_name: "memory limit",
                limit: self.bytes,
            });
        }
        Ok(needed)
    }

    fn info(&self) -> DeviceInfo {
        self.device.info()
    }

    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError> {
        self.required(plan)?;
        self.device.profile(plan, iterations)
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        self.device.probe(limit)
    }

    fn others(&self) -> Vec<&dyn Device> {
        self.device.others()
    }
}

impl Device for Box<dyn Device> {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        (**self).compile(plan)
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        (**self).required(plan)
    }

    fn info(&self) -> DeviceInfo {
        (**self).info()
    }

    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError> {
        (**self).profile(plan, iterations)
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        (**self).probe(limit)
    }

    fn others(&self) -> Vec<&dyn Device> {
        (**self).others()
    }
}
