//! Compute pipelines by the text of their shader, with explicit bind group layouts.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use wgpu::{
    AdapterInfo, BindGroupLayout, BindGroupLayoutEntry, BindingType, BufferBindingType, ComputePipeline,
    Features, PipelineCache, PipelineCacheDescriptor, ShaderModule, ShaderModuleDescriptor,
    ShaderRuntimeChecks, ShaderSource, ShaderStages,
};

use super::{context::Context, store};
use crate::device::DeviceError;

/// Pipelines are kept as long as the device, so that plans of equal structure compile once.
pub(crate) struct Pipelines {
    device: wgpu::Device,
    checked: bool,
    /// By the number of buffers read.
    layouts: Mutex<HashMap<usize, BindGroupLayout>>,
    pipelines: Mutex<HashMap<String, ComputePipeline>>,
    on_disk: Option<OnDisk>,
}

/// What the driver made of shaders, kept from run to run where the driver lets itself be asked for it.
struct OnDisk {
    cache: PipelineCache,
    file: PathBuf,
    /// Pipelines when the file was last written.
    saved: Mutex<usize>,
}

impl Pipelines {
    pub(crate) fn new(
        device: wgpu::Device,
        checked: bool,
        folder: Option<&Path>,
        adapter: &AdapterInfo,
    ) -> Self {
        let on_disk = folder.and_then(|folder| OnDisk::open(&device, folder, adapter));
        Pipelines { device, checked, layouts: Default::default(), pipelines: Default::default(), on_disk }
    }

    pub(crate) fn checked(&self) -> bool {
        self.checked
    }

    /// Writes what the driver compiled since the last time. A folder that cannot be written is no error: the
    /// next run compiles again.
    pub(crate) fn save(&self) {
        let Some(on_disk) = &self.on_disk else { return };
        let count = lock(&self.pipelines).len();
        let mut saved = lock(&on_disk.saved);
        if count > *saved
            && let Some(data) = on_disk.cache.get_data()
            && store::write(&on_disk.file, &data).is_ok()
        {
            *saved = count;
        }
    }

    /// Binding 0: parameters (uniform); 1..=reads: read-only storage; reads + 1: the result.
    pub(crate) fn layout(&self, reads: usize) -> BindGroupLayout {
        let make = || {
            let entries: Vec<_> = (0..reads + 2)
                .map(|binding| BindGroupLayoutEntry {
                    binding: binding as u32,
                    visibility: ShaderStages::COMPUTE,
                    ty: BindingType::Buffer {
                        ty: match binding {
                            0 => BufferBindingType::Uniform,
                            _ => BufferBindingType::Storage { read_only: binding <= reads },
                        },
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                })
                .collect();
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
            self.device.create_bind_group_layout(&descriptor)
        };
        lock(&self.layouts).entry(reads).or_insert_with(make).clone()
    }

    /// The pipeline of a shader whose entry point is `main`.
    pub(crate) fn pipeline(
        &self,
        context: &Context,
        label: &str,
        source: &str,
        reads: usize,
    ) -> Result<ComputePipeline, DeviceError> {
        if let Some(pipeline) = lock(&self.pipelines).get(source) {
            return Ok(pipeline.clone());
        }
        let pipeline = context.guard(|| self.create(label, source, reads))?;
        lock(&self.pipelines).insert(source.to_string(), pipeline.clone());
        Ok(pipeline)
    }

    fn create(&self, label: &str, source: &str, reads: usize) -> ComputePipeline {
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&self.layout(reads))],
            immediate_size: 0,
        });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&layout),
            module: &self.module(label, source),
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &[],
                zero_initialize_workgroup_memory: false,
            },
            cache: self.on_disk.as_ref().map(|on_disk| &on_disk.cache),
        })
    }

    fn module(&self, label: &str, source: &str) -> ShaderModule {
        let descriptor =
            ShaderModuleDescriptor { label: Some(label), source: ShaderSource::Wgsl(source.into()) };
        if self.checked {
            return self.device.create_shader_module(descriptor);
        }
        // SAFETY: the shaders are this crate's. They address only elements that a valid plan's views reach
        // (checked when the plan is compiled), all their loops end, and no divisor is 0.
        unsafe { self.device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked()) }
    }
}

impl OnDisk {
    fn open(device: &wgpu::Device, folder: &Path, adapter: &AdapterInfo) -> Option<Self> {
        if !device.features().contains(Features::PIPELINE_CACHE) {
            return None;
        }
        let file = folder.join(format!("{}.bin", wgpu::util::pipeline_cache_key(adapter)?));
        let data = std::fs::read(&file).ok();
        // SAFETY: the file was written by `save` from what the driver gave; wgpu and the driver check its
        // header and start anew where it is another driver's or broken.
        let cache = unsafe {
            device.create_pipeline_cache(&PipelineCacheDescriptor {
                label: Some("gia-gpu"),
                data: data.as_deref(),
                fallback: true,
            })
        };
        Some(OnDisk { cache, file, saved: Mutex::new(0) })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
