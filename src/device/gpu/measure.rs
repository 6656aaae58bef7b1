//! How long one step takes on the device in one style or another.

use std::{sync::Arc, time::Duration};

use super::{
    clock::Clock,
    context::Context,
    executable::GpuExecutable,
    kernels::{self, Style},
};
use crate::{
    device::{DeviceError, Executable},
    plan::{
        Plan,
        kernel::{BufferId, Step},
    },
};

/// Aimed at for one measurement: far above a clock's resolution, far below what freezes a desktop.
const TARGET: Duration = Duration::from_millis(5);
const MOST_REPLAYS: u32 = 64;
const ROUNDS: usize = 3;

/// The time of one replay of a step of this plan in this style: the least of several rounds.
pub(crate) fn step(
    context: &Arc<Context>,
    plan: &Plan,
    step: &Step,
    style: &Style,
) -> Result<Duration, DeviceError> {
    let alone = alone(plan, step);
    let launches = kernels::launches(&alone.steps[0], style)?;
    let mut executable = GpuExecutable::new(context.clone(), &alone, vec![launches])?;
    let written = alone.steps[0].write;
    for (&var, &(buffer, len)) in &alone.bound {
        if buffer != written {
            executable.write(var, &varied(len))?;
        }
    }
    let clock = Clock::new(context, 1)?;
    let time = |replays: u32| -> Result<Duration, DeviceError> {
        let dispatches = replays as usize * executable.dispatches();
        Ok(clock.times(1, &|pass, _| executable.encode(pass, 0, dispatches))?[0])
    };
    // The first replay waits for the upload and for what drivers put off.
    time(1)?;
    let one = time(1)?;
    let replays = (TARGET.as_nanos() / one.as_nanos().max(1)).clamp(1, u128::from(MOST_REPLAYS)) as u32;
    let mut least = one;
    for _ in 0..ROUNDS {
        least = least.min(time(replays)? / replays);
    }
    Ok(least)
}

/// The step as a plan of its own.
fn alone(plan: &Plan, step: &Step) -> Plan {
    let mut buffers: Vec<BufferId> = Vec::new();
    let mut place = |id: BufferId| {
        buffers.iter().position(|&known| known == id).unwrap_or_else(|| {
            buffers.push(id);
            buffers.len() - 1
        })
    };
    let reads = step.reads.iter().map(|&id| place(id)).collect();
    let write = place(step.write);
    let lens = buffers.iter().map(|&id| plan.buffers[id]).collect();
    Plan::by_hand(vec![Step { kernel: step.kernel.clone(), reads, write }], lens)
}

/// Values in [−1, 1): arithmetic on zeros takes less power, hence another clock rate.
fn varied(len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| i.wrapping_mul(2_654_435_769) as i32 as f32 / 2_147_483_648.0).collect()
}
