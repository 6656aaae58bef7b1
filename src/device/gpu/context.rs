//! An open device: its queue, limits, pipelines, and the errors that it reports.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use wgpu::{Adapter, Buffer, ErrorFilter, Features, Limits, MapMode, PollType, SubmissionIndex};

use super::{GpuOptions, adapter, pipeline::Pipelines};
use crate::device::{DeviceError, DeviceInfo};

pub(crate) struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub limits: Limits,
    pub info: DeviceInfo,
    pub pipelines: Pipelines,
    /// The first error that no scope caught.
    failure: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// `folder`: compiled pipelines are kept there.
    pub(crate) fn open(
        adapter: &Adapter,
        options: &GpuOptions,
        folder: Option<&Path>,
    ) -> Result<Self, DeviceError> {
        let offered = adapter.limits();
        let limits = Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            ..Limits::default().or_worse_values_from(&offered)
        };
        let wanted = [
            (Features::SUBGROUP, options.subgroups),
            (Features::SHADER_F16, options.half_tiles),
            (Features::TIMESTAMP_QUERY, true),
            (Features::PIPELINE_CACHE, folder.is_some()),
        ];
        let wanted = wanted.into_iter().filter(|&(_, wanted)| wanted);
        let wanted = wanted.fold(Features::empty(), |all, (feature, _)| all | feature);
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("gia-gpu"),
            required_features: wanted & adapter.features(),
            required_limits: limits.clone(),
            ..Default::default()
        }))
        .map_err(|error| DeviceError::Failed(describe(&error)))?;

        let failure = Arc::new(Mutex::new(None));
        let note = |failure: &Arc<Mutex<Option<String>>>, message: String| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
        };
        let noted = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error| note(&noted, describe(&error))));
        let noted = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                note(&noted, format!("the device was lost: {message}"));
            }
        });
        let info = adapter.get_info();
        let pipelines = Pipelines::new(device.clone(), options.checked, folder, &info);
        Ok(Context { device, queue, limits, info: adapter::info(&info), pipelines, failure })
    }

    /// Runs `make` and returns what it made, or the first error that the device reported meanwhile.
    pub(crate) fn guard<T>(&self, make: impl FnOnce() -> T) -> Result<T, DeviceError> {
        let scopes = [ErrorFilter::Internal, ErrorFilter::Validation, ErrorFilter::OutOfMemory]
            .map(|filter| self.device.push_error_scope(filter));
        let made = make();
        let errors: Vec<_> = scopes.into_iter().rev().filter_map(|s| pollster::block_on(s.pop())).collect();
        match errors.first() {
            None => self.check().map(|()| made),
            Some(error) => Err(DeviceError::Failed(describe(error))),
        }
    }

    /// The error that the device reported outside every [`Context::guard`], if any.
    pub(crate) fn check(&self) -> Result<(), DeviceError> {
        match &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(message) => Err(DeviceError::Failed(message.clone())),
        }
    }

    /// Blocks until a submission has run.
    pub(crate) fn wait(&self, submission: SubmissionIndex) -> Result<(), DeviceError> {
        let until = PollType::Wait { submission_index: Some(submission), timeout: None };
        let polled = self.device.poll(until);
        self.check()?;
        polled.map(|_| ()).map_err(|error| DeviceError::Failed(error.to_string()))
    }

    /// Waits for a submission that filled the first `bytes` of `staging`, and gives them to `take`.
    pub(crate) fn read_back<T>(
        &self,
        submission: SubmissionIndex,
        staging: &Buffer,
        bytes: u64,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, DeviceError> {
        let (send, mapped) = std::sync::mpsc::channel();
        staging.map_async(MapMode::Read, 0..bytes, move |result| {
            // The receiver is gone only if waiting failed, which is reported.
            let _ = send.send(result);
        });
        self.wait(submission)?;
        let failed = |error: &dyn std::fmt::Display| DeviceError::Failed(format!("reading back: {error}"));
        mapped.recv().map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let view = staging.get_mapped_range(0..bytes).map_err(|e| failed(&e))?;
        let taken = take(&view);
        drop(view);
        staging.unmap();
        Ok(taken)
    }
}

/// An error with everything that caused it, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
