//! A compiled plan on the GPU.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use wgpu::{
    BindGroup, BindGroupEntry, BindingResource, Buffer, BufferDescriptor, BufferUsages, ComputePass,
    ComputePipeline, SubmissionIndex,
};

use super::{clock::Clock, context::Context, launch::Launch, memory::Memory, pace::Pace};
use crate::{
    device::{DeviceError, Executable},
    plan::{Plan, kernel::BufferId},
    tape::Var,
};

/// Bytes that are read back at a time.
const STAGING: u64 = 16 << 20;
/// Steps that are timed in one submission: a slow device may take tenths of a second for each.
const TIMED: usize = 8;

pub(crate) struct GpuExecutable {
    context: Arc<Context>,
    memory: Memory,
    /// The prologue's, then those of one iteration.
    dispatches: Vec<Dispatch>,
    /// The dispatches of each step.
    steps: Vec<Range<usize>>,
    /// Dispatches that run only when what they read was written.
    prologue: usize,
    prologue_reads: HashSet<BufferId>,
    /// Whether the prologue's results are out of date.
    stale: bool,
    bound: HashMap<Var, (BufferId, usize)>,
    staging: Buffer,
    pace: Pace,
}

/// All that a replay encodes for one launch.
struct Dispatch {
    pipeline: ComputePipeline,
    bindings: BindGroup,
    groups: [u32; 3],
}

impl GpuExecutable {
    /// Of a plan that was checked, and the launches of each step.
    pub(crate) fn new(
        context: Arc<Context>,
        plan: &Plan,
        each: impl IntoIterator<Item = Vec<Launch>>,
    ) -> Result<Self, DeviceError> {
        let (mut launches, mut steps) = (vec![], vec![]);
        for of_step in each {
            let first = launches.len();
            launches.extend(of_step.into_iter().filter(|launch| launch.groups.iter().all(|&n| n > 0)));
            steps.push(first..launches.len());
        }
        let prologue = steps[..plan.prologue].last().map_or(0, |range| range.end);
        let memory = Memory::new(&context, plan, &launches)?;
        let dispatches = launches
            .iter()
            .enumerate()
            .map(|(at, launch)| dispatch(&context, &memory, at, launch))
            .collect::<Result<_, _>>()?;
        let longest = plan.bound.values().map(|&(_, len)| len).max().unwrap_or(0);
        let staging = context.guard(|| {
            context.device.create_buffer(&BufferDescriptor {
                label: Some("staging"),
                size: (4 * longest as u64).clamp(16, STAGING),
                usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        Ok(GpuExecutable {
            context,
            memory,
            dispatches,
            steps,
            prologue,
            prologue_reads: plan.prologue_reads(),
            stale: true,
            bound: plan.bound.clone(),
            staging,
            pace: Pace::new(),
        })
    }

    fn find(&self, var: Var) -> Result<(BufferId, usize), DeviceError> {
        self.bound.get(&var).copied().ok_or(DeviceError::UnknownVar(var))
    }

    /// Runs `range` of the dispatches so many times, in as many submissions as the pace asks for.
    fn replay(&mut self, range: Range<usize>, times: usize) -> Result<(), DeviceError> {
        let total = range.len() * times;
        let mut at = 0;
        while at < total {
            if let Some(due) = self.pace.due() {
                self.context.wait(due)?;
                self.pace.finished();
            }
            let next = total.min(at + self.pace.size());
            let submission = self.submit(&self.dispatches[range.clone()], at, next);
            self.pace.submitted(submission, next - at);
            at = next;
        }
        Ok(())
    }

    /// Encodes and submits dispatches `from..to` of the endless replay of `dispatches` in one compute pass.
    fn submit(&self, dispatches: &[Dispatch], from: usize, to: usize) -> SubmissionIndex {
        let mut encoder = self.context.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        encode(dispatches, &mut pass, from, to);
        drop(pass);
        self.context.queue.submit([encoder.finish()])
    }

    /// One whole iteration, prologue included, and how long each step took.
    pub(crate) fn run_timed(&mut self) -> Result<Vec<Duration>, DeviceError> {
        self.stale = false;
        let clock = Clock::new(&self.context, TIMED)?;
        let mut times = Vec::with_capacity(self.steps.len());
        for steps in self.steps.chunks(TIMED) {
            let encode = |pass: &mut ComputePass, step: usize| {
                let Range { start, end } = steps[step];
                self.encode(pass, start, end);
            };
            times.extend(clock.times(steps.len(), &encode)?);
        }
        Ok(times)
    }

    /// Dispatches of one replay.
    pub(crate) fn dispatches(&self) -> usize {
        self.dispatches.len()
    }

    /// Encodes dispatches `from..to` of the endless replay.
    pub(crate) fn encode(&self, pass: &mut ComputePass, from: usize, to: usize) {
        encode(&self.dispatches, pass, from, to);
    }

    /// Copies `out.len()` elements of `buffer` from element `first` on through the staging buffer.
    fn read_part(&self, buffer: &Buffer, first: u64, out: &mut [f32]) -> Result<(), DeviceError> {
        let bytes = size_of_val(out) as u64;
        let mut encoder = self.context.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 4 * first, &self.staging, 0, bytes);
        let submission = self.context.queue.submit([encoder.finish()]);
        self.context.read_back(submission, &self.staging, bytes, |read| {
            bytemuck::cast_slice_mut(out).copy_from_slice(read);
        })
    }
}

/// Encodes dispatches `from..to` of the endless replay of `dispatches`.
fn encode(dispatches: &[Dispatch], pass: &mut ComputePass, from: usize, to: usize) {
    let mut current = None;
    for at in from..to {
        let dispatch = &dispatches[at % dispatches.len()];
        if current != Some(&dispatch.pipeline) {
            pass.set_pipeline(&dispatch.pipeline);
            current = Some(&dispatch.pipeline);
        }
        pass.set_bind_group(0, &dispatch.bindings, &[]);
        let [x, y, z] = dispatch.groups;
        pass.dispatch_workgroups(x, y, z);
    }
}

fn dispatch(context: &Context, memory: &Memory, at: usize, launch: &Launch) -> Result<Dispatch, DeviceError> {
    let reads = launch.reads.len();
    let pipeline = context.pipelines.pipeline(context, launch.kernel, &launch.source, reads)?;
    let storage =
        launch.reads.iter().chain([&launch.write]).map(|&slot| memory.slot(slot).as_entire_binding());
    let entries: Vec<_> = [BindingResource::Buffer(memory.params(at))]
        .into_iter()
        .chain(storage)
        .enumerate()
        .map(|(binding, resource)| BindGroupEntry { binding: binding as u32, resource })
        .collect();
    let bindings = context.guard(|| {
        context.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(launch.kernel),
            layout: &context.pipelines.layout(reads),
            entries: &entries,
        })
    })?;
    Ok(Dispatch { pipeline, bindings, groups: launch.groups })
}

impl Executable for GpuExecutable {
    fn write(&mut self, input: Var, data: &[f32]) -> Result<(), DeviceError> {
        let (id, expected) = self.find(input)?;
        if data.len() != expected {
            return Err(DeviceError::WrongLength { var: input, expected, found: data.len() });
        }
        self.stale |= self.prologue_reads.contains(&id);
        self.context.queue.write_buffer(&self.memory.buffers[id], 0, bytemuck::cast_slice(data));
        self.context.check()
    }

    fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        if iterations > 0 && std::mem::take(&mut self.stale) {
            self.replay(0..self.prologue, 1)?;
        }
        self.replay(self.prologue..self.dispatches.len(), iterations)?;
        self.pace.pause();
        self.context.check()
    }

    fn read(&mut self, output: Var) -> Result<Vec<f32>, DeviceError> {
        let (id, len) = self.find(output)?;
        let buffer = &self.memory.buffers[id];
        let mut values = vec![0.0; len];
        let part = (self.staging.size() / 4) as usize;
        for (at, out) in values.chunks_mut(part).enumerate() {
            self.read_part(buffer, (at * part) as u64, out)?;
        }
        Ok(values)
    }
}
