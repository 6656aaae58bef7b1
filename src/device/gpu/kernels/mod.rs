//! The Rust side of every kernel: its parameters, its variant, its dispatch size.

mod conv;
mod conv2d;
mod conv2d_grad_input;
mod conv2d_grad_weight;
mod expression;
mod gather;
mod map;
mod map_reduce;
mod matmul;
pub mod probe_fma;
pub mod probe_triad;
mod scatter_add;
mod space;
mod tile;
mod window;
mod window_argmax;
mod window_gather;
mod window_scatter;
mod window_spread;
mod window_sum;

use std::ops::Range;

use super::launch::{Launch, Slot};
use crate::{
    device::DeviceError,
    plan::{
        Plan,
        kernel::{Kernel, Step},
    },
};

/// Everything that a plan dispatches, in order, the prologue first.
pub fn launches(plan: &Plan) -> Result<Vec<Launch>, DeviceError> {
    let mut launches = prologue_launches(plan)?;
    launches.extend(launches_of(plan, plan.prologue..plan.steps.len())?);
    Ok(launches)
}

/// What the prologue dispatches.
pub fn prologue_launches(plan: &Plan) -> Result<Vec<Launch>, DeviceError> {
    launches_of(plan, 0..plan.prologue)
}

fn launches_of(plan: &Plan, steps: Range<usize>) -> Result<Vec<Launch>, DeviceError> {
    let mut launches = Vec::new();
    for at in steps {
        let step = &plan.steps[at];
        launches.extend(step_launches(step).map_err(|error| match error {
            DeviceError::Failed(why) => DeviceError::Failed(format!("step {at}, {}: {why}", step.name())),
            other => other,
        })?);
    }
    Ok(launches)
}

fn step_launches(step: &Step) -> Result<Vec<Launch>, DeviceError> {
    let reads: Vec<_> = step.reads.iter().map(|&id| Slot::Buffer(id)).collect();
    let write = Slot::Buffer(step.write);
    match &step.kernel {
        Kernel::Map(kernel) => map::launches(kernel, reads, write),
        Kernel::MapReduce(kernel) => map_reduce::launches(kernel, reads, write),
        Kernel::Matmul(kernel) => matmul::launches(kernel, reads, write),
        Kernel::Conv2d(kernel) => conv2d::launches(kernel, reads, write),
        Kernel::Conv2dGradInput(kernel) => conv2d_grad_input::launches(kernel, reads, write),
        Kernel::Conv2dGradWeight(kernel) => conv2d_grad_weight::launches(kernel, reads, write),
        Kernel::Conv2dSum(_) | Kernel::Conv2dGradInputSum(_) => {
            Err(DeviceError::Failed("a sum of convolutions that was not taken apart".into()))
        }
        Kernel::WindowArgmax(kernel) => window_argmax::launches(kernel, reads, write),
        Kernel::WindowGather(kernel) => window_gather::launches(kernel, reads, write),
        Kernel::WindowScatter(kernel) => window_scatter::launches(kernel, reads, write),
        Kernel::WindowSum(kernel) => window_sum::launches(kernel, reads, write),
        Kernel::WindowSpread(kernel) => window_spread::launches(kernel, reads, write),
        Kernel::Gather(kernel) => gather::launches(kernel, reads, write),
        Kernel::ScatterAdd(kernel) => scatter_add::launches(kernel, reads, write),
    }
}
