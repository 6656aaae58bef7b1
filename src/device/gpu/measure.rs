//! How long one step takes on the device, by the device's own clock where it has one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, ComputePassDescriptor, ComputePassTimestampWrites, Features,
    QuerySet, QuerySetDescriptor, QueryType,
};

use super::{
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
/// Bytes of two timestamps.
const STAMPS: u64 = 16;

/// The time of one replay of a step of this plan in this style: the least of several rounds.
pub fn step(
    context: &Arc<Context>,
    plan: &Plan,
    step: &Step,
    style: &Style,
) -> Result<Duration, DeviceError> {
    let alone = alone(plan, step);
    let launches = kernels::launches(&alone.steps[0], style)?;
    let mut executable = GpuExecutable::new(context.clone(), &alone, launches, 0)?;
    let written = alone.steps[0].write;
    for (&var, &(buffer, len)) in &alone.bound {
        if buffer != written {
            executable.write(var, &varied(len))?;
        }
    }
    let clock = Clock::new(context)?;
    // The first replay waits for the upload and for what drivers put off.
    clock.time(&executable, 1)?;
    let one = clock.time(&executable, 1)?;
    let replays = (TARGET.as_nanos() / one.as_nanos().max(1)).clamp(1, u128::from(MOST_REPLAYS)) as u32;
    let mut least = one;
    for _ in 0..ROUNDS {
        least = least.min(clock.time(&executable, replays)? / replays);
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

/// The device's timestamps, where it has them.
struct Clock<'a> {
    context: &'a Context,
    stamps: Option<Stamps>,
}

struct Stamps {
    set: QuerySet,
    resolved: Buffer,
    staging: Buffer,
}

impl<'a> Clock<'a> {
    fn new(context: &'a Context) -> Result<Self, DeviceError> {
        if !context.device.features().contains(Features::TIMESTAMP_QUERY) {
            return Ok(Clock { context, stamps: None });
        }
        let buffer = |usage| {
            let descriptor = BufferDescriptor {
                label: Some("timestamps"),
                size: STAMPS,
                usage,
                mapped_at_creation: false,
            };
            context.device.create_buffer(&descriptor)
        };
        let stamps = context.guard(|| Stamps {
            set: context.device.create_query_set(&QuerySetDescriptor {
                label: Some("timestamps"),
                ty: QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer(BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            staging: buffer(BufferUsages::MAP_READ | BufferUsages::COPY_DST),
        })?;
        Ok(Clock { context, stamps: Some(stamps) })
    }

    /// The time of so many replays in one submission.
    fn time(&self, executable: &GpuExecutable, replays: u32) -> Result<Duration, DeviceError> {
        let context = self.context;
        let started = Instant::now();
        let mut encoder = context.device.create_command_encoder(&Default::default());
        let timestamp_writes = self.stamps.as_ref().map(|stamps| ComputePassTimestampWrites {
            query_set: &stamps.set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        });
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor { label: None, timestamp_writes });
        executable.encode(&mut pass, 0, replays as usize * executable.dispatches());
        drop(pass);
        if let Some(stamps) = &self.stamps {
            encoder.resolve_query_set(&stamps.set, 0..2, &stamps.resolved, 0);
            encoder.copy_buffer_to_buffer(&stamps.resolved, 0, &stamps.staging, 0, STAMPS);
        }
        let submission = context.queue.submit([encoder.finish()]);
        let Some(stamps) = &self.stamps else {
            context.wait(submission)?;
            return Ok(started.elapsed());
        };
        let [start, end]: [u64; 2] =
            context.read_back(submission, &stamps.staging, STAMPS, bytemuck::pod_read_unaligned)?;
        let on_host = started.elapsed();
        let ticks = end.saturating_sub(start) as f64;
        let on_device =
            Duration::from_nanos((ticks * f64::from(context.queue.get_timestamp_period())) as u64);
        // A driver whose clock stands still is timed from outside.
        Ok(if on_device.is_zero() { on_host } else { on_device })
    }
}
