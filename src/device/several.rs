//! Several devices in the place of one: the first does what cannot be spread.

use super::{
    Device, DeviceError, DeviceInfo, Executable,
    probe::{Limit, Probe},
    profile::Profile,
};
use crate::plan::Plan;

/// One device or more.
pub struct Several {
    first: Box<dyn Device>,
    others: Vec<Box<dyn Device>>,
}

impl Several {
    /// `None` of none.
    pub fn new(devices: Vec<Box<dyn Device>>) -> Option<Several> {
        let mut devices = devices.into_iter();
        Some(Several { first: devices.next()?, others: devices.collect() })
    }
}

impl Device for Several {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        self.first.compile(plan)
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        self.first.required(plan)
    }

    fn info(&self) -> DeviceInfo {
        self.first.info()
    }

    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError> {
        self.first.profile(plan, iterations)
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        self.first.probe(limit)
    }

    fn others(&self) -> Vec<&dyn Device> {
        self.others.iter().map(|device| &**device).collect()
    }
}
