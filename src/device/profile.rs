//! How long each step of a plan takes.

use std::time::Duration;

use super::{DeviceError, Executable};
use crate::{plan::Plan, random};

/// The plan as the device runs it, and the median time of each of its steps.
pub struct Profile {
    /// What the device runs.
    pub plan: Plan,
    /// One for each of the plan's steps.
    pub steps: Vec<Duration>,
}

impl Profile {
    /// Times an iteration so often; `times` gives an iteration's, prologue included.
    pub fn of(
        plan: Plan,
        iterations: usize,
        mut times: impl FnMut() -> Result<Vec<Duration>, DeviceError>,
    ) -> Result<Profile, DeviceError> {
        let mut runs = vec![];
        for _ in 0..iterations.max(1) {
            runs.push(times()?);
        }
        let median = |step: usize| {
            let mut times: Vec<Duration> = runs.iter().map(|run| run[step]).collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        Ok(Profile { steps: (0..plan.steps.len()).map(median).collect(), plan })
    }
}

/// Draws all inputs and states from N(0,0.01).
pub fn fill(plan: &Plan, executable: &mut dyn Executable) -> Result<(), DeviceError> {
    for (&var, &(_, len)) in &plan.bound {
        let mut generator = random::generator(var.index() as u64, "plan");
        let values: Vec<f32> = random::normal(&mut generator, len).iter().map(|v| v * 0.1).collect();
        executable.write(var, &values)?;
    }
    Ok(())
}
