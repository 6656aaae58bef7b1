//! How long parts of a submission take, by the device's own clock where it has one.

use std::time::{Duration, Instant};

use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoder, ComputePass, ComputePassDescriptor,
    ComputePassTimestampWrites, Features, QuerySet, QuerySetDescriptor, QueryType, SubmissionIndex,
};

use super::context::Context;
use crate::device::DeviceError;

/// Bytes of the two timestamps of a part.
const STAMPS: u64 = 16;

pub(crate) struct Clock<'a> {
    context: &'a Context,
    stamps: Option<Stamps>,
}

struct Stamps {
    set: QuerySet,
    resolved: Buffer,
    staging: Buffer,
}

impl<'a> Clock<'a> {
    /// For up to `most` parts at once.
    pub(crate) fn new(context: &'a Context, most: usize) -> Result<Self, DeviceError> {
        if !context.device.features().contains(Features::TIMESTAMP_QUERY) {
            return Ok(Clock { context, stamps: None });
        }
        let buffer = |usage| {
            let descriptor = BufferDescriptor {
                label: Some("timestamps"),
                size: most as u64 * STAMPS,
                usage,
                mapped_at_creation: false,
            };
            context.device.create_buffer(&descriptor)
        };
        let stamps = context.guard(|| Stamps {
            set: context.device.create_query_set(&QuerySetDescriptor {
                label: Some("timestamps"),
                ty: QueryType::Timestamp,
                count: 2 * most as u32,
            }),
            resolved: buffer(BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            staging: buffer(BufferUsages::MAP_READ | BufferUsages::COPY_DST),
        })?;
        Ok(Clock { context, stamps: Some(stamps) })
    }

    /// The times of so many parts, which `encode` encodes into passes of their own.
    pub(crate) fn times(
        &self,
        parts: usize,
        encode: &dyn Fn(&mut ComputePass, usize),
    ) -> Result<Vec<Duration>, DeviceError> {
        let Some(stamps) = &self.stamps else { return self.by_the_host(parts, encode) };
        let mut encoder = self.encoder();
        for part in 0..parts {
            let timestamp_writes = ComputePassTimestampWrites {
                query_set: &stamps.set,
                beginning_of_pass_write_index: Some(2 * part as u32),
                end_of_pass_write_index: Some(2 * part as u32 + 1),
            };
            let descriptor = ComputePassDescriptor { label: None, timestamp_writes: Some(timestamp_writes) };
            encode(&mut encoder.begin_compute_pass(&descriptor), part);
        }
        let bytes = parts as u64 * STAMPS;
        encoder.resolve_query_set(&stamps.set, 0..2 * parts as u32, &stamps.resolved, 0);
        encoder.copy_buffer_to_buffer(&stamps.resolved, 0, &stamps.staging, 0, bytes);
        let submission = self.submit(encoder);
        let period = f64::from(self.context.queue.get_timestamp_period());
        let times = self.context.read_back(submission, &stamps.staging, bytes, |read| {
            let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(read);
            let ticks = stamps.chunks(2).map(|pair| pair[1].saturating_sub(pair[0]));
            ticks.map(|ticks| Duration::from_nanos((ticks as f64 * period) as u64)).collect::<Vec<_>>()
        })?;
        // A driver's clock may stand still.
        if times.iter().all(Duration::is_zero) { self.by_the_host(parts, encode) } else { Ok(times) }
    }

    /// Each part in a submission that the host waits for.
    fn by_the_host(
        &self,
        parts: usize,
        encode: &dyn Fn(&mut ComputePass, usize),
    ) -> Result<Vec<Duration>, DeviceError> {
        let time = |part| {
            let started = Instant::now();
            let mut encoder = self.encoder();
            encode(&mut encoder.begin_compute_pass(&Default::default()), part);
            self.context.wait(self.submit(encoder)).map(|()| started.elapsed())
        };
        (0..parts).map(time).collect()
    }

    fn encoder(&self) -> CommandEncoder {
        self.context.device.create_command_encoder(&Default::default())
    }

    fn submit(&self, encoder: CommandEncoder) -> SubmissionIndex {
        self.context.queue.submit([encoder.finish()])
    }
}
