//! The buffers of a compiled plan: its own, the parameters of all launches, and partial results.

use wgpu::{Buffer, BufferBinding, BufferDescriptor, BufferUsages, Limits};

use super::{
    context::Context,
    launch::{Launch, Slot},
};
use crate::{
    device::{DeviceError, host},
    plan::Plan,
};

const WORD: u64 = 4;

pub(crate) struct Memory {
    /// One for each of [`Plan::buffers`].
    pub buffers: Vec<Buffer>,
    partials: Buffer,
    params: Buffer,
    /// Bytes from one launch's parameters to the next.
    params_stride: u64,
}

impl Memory {
    /// Allocates everything, zeroed, and uploads literals and parameters.
    pub(crate) fn new(context: &Context, plan: &Plan, launches: &[Launch]) -> Result<Self, DeviceError> {
        required(context, plan, launches)?;
        let alignment = u64::from(context.limits.min_uniform_buffer_offset_alignment);
        let longest = launches.iter().map(|l| l.params.len()).max().unwrap_or(1);
        let params_stride = (longest as u64 * WORD).next_multiple_of(alignment.max(16));
        let storage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let memory = context.guard(|| {
            let buffer = |label: &str, bytes: u64, usage| {
                let size = bytes.max(16);
                let descriptor =
                    BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
                context.device.create_buffer(&descriptor)
            };
            let uniform = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
            Memory {
                buffers: plan.buffers.iter().map(|&len| buffer("plan", len as u64 * WORD, storage)).collect(),
                partials: buffer("partials", partials_len(launches) as u64 * WORD, BufferUsages::STORAGE),
                params: buffer("params", params_stride * launches.len() as u64, uniform),
                params_stride,
            }
        })?;
        context.guard(|| memory.upload(context, plan, launches))?;
        Ok(memory)
    }

    fn upload(&self, context: &Context, plan: &Plan, launches: &[Launch]) {
        for (buffer, values) in &plan.literals {
            let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            context.queue.write_buffer(&self.buffers[*buffer], 0, bytemuck::cast_slice(&values));
        }
        let words = (self.params_stride / WORD) as usize;
        let mut params = vec![0u32; words * launches.len()];
        for (slot, launch) in params.chunks_mut(words).zip(launches) {
            slot[..launch.params.len()].copy_from_slice(&launch.params);
        }
        context.queue.write_buffer(&self.params, 0, bytemuck::cast_slice(&params));
    }

    pub(crate) fn params(&self, launch: usize) -> BufferBinding<'_> {
        BufferBinding {
            buffer: &self.params,
            offset: launch as u64 * self.params_stride,
            size: self.params_stride.try_into().ok(),
        }
    }

    pub(crate) fn slot(&self, slot: Slot) -> &Buffer {
        match slot {
            Slot::Buffer(id) => &self.buffers[id],
            Slot::Partials(_) => &self.partials,
        }
    }
}

/// Bytes that a compiled plan takes, if this device can bind all of it.
pub(crate) fn required(context: &Context, plan: &Plan, launches: &[Launch]) -> Result<u64, DeviceError> {
    check_sizes(&context.limits, plan, launches)?;
    let buffers = plan.buffers.iter().fold(0u64, |sum, &len| sum.saturating_add(len as u64 * WORD));
    let needed = buffers.saturating_add(partials_len(launches) as u64 * WORD);
    if context.info.software {
        // Its memory is the machine's.
        host::check(|| format!("the plan of {} buffers", plan.buffers.len()), needed)?;
    }
    Ok(needed)
}

fn partials_len(launches: &[Launch]) -> usize {
    let lens = launches.iter().map(|l| if let Slot::Partials(len) = l.write { len } else { 0 });
    lens.max().unwrap_or(0)
}

/// Refuses a plan with a buffer that this device cannot bind, before anything is allocated.
fn check_sizes(limits: &Limits, plan: &Plan, launches: &[Launch]) -> Result<(), DeviceError> {
    let limits = [
        ("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size),
        ("max_buffer_size", limits.max_buffer_size),
        ("reach of 32-bit element indices", WORD << 32),
    ];
    let (limit_name, limit) = limits.into_iter().min_by_key(|&(_, limit)| limit).unwrap_or(limits[0]);
    let check = |what: String, len: usize| {
        let needed = (len as u64).saturating_mul(WORD);
        if needed > limit {
            return Err(DeviceError::TooLarge { what, needed, limit_name, limit });
        }
        Ok(())
    };
    for (id, &len) in plan.buffers.iter().enumerate() {
        check(plan.describe_buffer(id), len)?;
    }
    check("the buffer of partial results".into(), partials_len(launches))
}
