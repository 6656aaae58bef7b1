//! Which adapters there are, and which one is taken.

use std::env;

use wgpu::{
    Adapter, AdapterInfo, DeviceType, DownlevelFlags, Features, Instance, InstanceDescriptor, InstanceFlags,
};

use super::{
    GpuOptions,
    visible::{Seen, visible},
};
use crate::device::{DeviceError, DeviceInfo};

/// What every kernel is written for.
pub(crate) const STORAGE_BUFFERS: u32 = 7;
pub(crate) const INVOCATIONS: u32 = 256;
pub(crate) const WORKGROUP_BYTES: u32 = 16 << 10;

const BACKENDS: wgpu::Backends =
    wgpu::Backends::VULKAN.union(wgpu::Backends::METAL).union(wgpu::Backends::DX12);

/// Every adapter of every driver that this process may see: the best first, equal ones by PCI address.
pub(crate) fn all() -> Vec<Adapter> {
    let mut adapters = hidden_too();
    let seen: Vec<Seen> = adapters.iter().map(|adapter| seen(&adapter.get_info())).collect();
    let mut shown = visible(&seen, &|name| env::var(name).ok()).into_iter();
    adapters.retain(|_| shown.next().unwrap_or(true));
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        (rank(info.device_type), info.device_pci_bus_id, info.backend.to_string())
    });
    adapters
}

fn seen(info: &AdapterInfo) -> Seen {
    Seen { vendor: info.vendor, bus: info.device_pci_bus_id.clone(), name: info.name.clone() }
}

fn hidden_too() -> Vec<Adapter> {
    let instance = Instance::new(InstanceDescriptor {
        backends: BACKENDS,
        flags: InstanceFlags::empty(),
        ..InstanceDescriptor::new_without_display_handle()
    });
    pollster::block_on(instance.enumerate_adapters(BACKENDS))
}

/// The best adapter that can run every kernel.
pub(crate) fn choose(options: &GpuOptions) -> Result<Adapter, DeviceError> {
    let mut refused = Vec::new();
    let adapters = all();
    let infos: Vec<AdapterInfo> = adapters.iter().map(Adapter::get_info).collect();
    let wanted = match &options.which {
        None => None,
        Some(which) => Some(place(which, &infos).map_err(DeviceError::NoSuchAdapter)?),
    };
    let usable: Vec<_> = adapters
        .into_iter()
        .enumerate()
        .filter(|(place, _)| wanted.is_none_or(|wanted| wanted == *place))
        .map(|(_, adapter)| adapter)
        .filter(|adapter| match refusal(adapter, options) {
            None => true,
            Some(reason) => {
                refused.push(format!("{}: {reason}", adapter.get_info().name));
                false
            }
        })
        .collect();
    usable.into_iter().next().ok_or_else(|| {
        let found = if refused.is_empty() { "none was found".into() } else { refused.join("; ") };
        DeviceError::NoAdapter(format!("{found}. {}", driver_advice()))
    })
}

/// Which adapter is meant: by its place among all, its PCI address or its name, or a part of that which no other has.
///
/// # Errors
/// None, or several.
fn place(which: &str, infos: &[AdapterInfo]) -> Result<usize, String> {
    let names = || {
        let line =
            |(i, info): (usize, &AdapterInfo)| format!("{i} ({} {})", info.name, info.device_pci_bus_id);
        let all: Vec<String> = infos.iter().enumerate().map(line).collect();
        if all.is_empty() { "none".to_string() } else { all.join(", ").replace(" )", ")") }
    };
    if let Ok(number) = which.parse::<usize>() {
        return match number < infos.len() {
            true => Ok(number),
            false => {
                Err(format!("gpu:{which}: expected a GPU that `gia-gpu devices` lists, found {}", names()))
            }
        };
    }
    let lower = which.to_lowercase();
    let is = |info: &AdapterInfo| {
        let bus = info.device_pci_bus_id.to_lowercase();
        (!bus.is_empty() && (bus == lower || bus.ends_with(&format!(":{lower}"))))
            || info.name.to_lowercase().contains(&lower)
    };
    let all: Vec<usize> = (0..infos.len()).filter(|&i| is(&infos[i])).collect();
    match all[..] {
        [one] => Ok(one),
        [] => Err(format!("gpu:{which}: no GPU of this name or PCI address; there is {}", names())),
        _ => Err(format!("gpu:{which}: several GPUs are called so; there is {}", names())),
    }
}

fn refusal(adapter: &Adapter, options: &GpuOptions) -> Option<String> {
    let limits = adapter.limits();
    let needs = [
        ("storage buffers", limits.max_storage_buffers_per_shader_stage, STORAGE_BUFFERS),
        ("invocations a workgroup", limits.max_compute_invocations_per_workgroup, INVOCATIONS),
        ("bytes of workgroup memory", limits.max_compute_workgroup_storage_size, WORKGROUP_BYTES),
    ];
    if adapter.get_info().device_type == DeviceType::Cpu && !options.allow_software {
        return Some("a software driver, taken only when asked for".into());
    }
    if !adapter.get_downlevel_capabilities().flags.contains(DownlevelFlags::COMPUTE_SHADERS) {
        return Some("has no compute shaders".into());
    }
    if options.half_tiles && !adapter.features().contains(Features::SHADER_F16) {
        return Some("has no 16-bit floats".into());
    }
    let lacking = needs.into_iter().find(|(_, has, needed)| has < needed);
    lacking.map(|(what, has, needed)| format!("offers {has} {what}, {needed} are needed"))
}

fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

pub(crate) fn info(adapter: &AdapterInfo) -> DeviceInfo {
    DeviceInfo {
        kind: "gpu".into(),
        name: adapter.name.clone(),
        backend: adapter.backend.to_string(),
        driver: format!("{} {}", adapter.driver, adapter.driver_info).trim().into(),
        software: adapter.device_type == DeviceType::Cpu,
        isa: None,
    }
}

/// Whether the adapter is a software driver, and all that its speed depends on, in words.
pub(crate) fn identity(adapter: &Adapter) -> (bool, String) {
    let AdapterInfo { name, vendor, device, device_type, driver, driver_info, backend, .. } =
        adapter.get_info();
    let identity = format!("{name} {vendor:x} {device:x}, {backend} {driver} {driver_info}");
    (device_type == DeviceType::Cpu, identity)
}

fn driver_advice() -> &'static str {
    if cfg!(target_os = "macos") {
        "Every Mac since 2012 has Metal: update macOS, or use the CPU device"
    } else if cfg!(windows) {
        "Install the GPU vendor's driver, which brings DX12 and Vulkan, or use the CPU device"
    } else {
        "Install the GPU's Vulkan driver: NVIDIA's own (Debian: nvidia-driver), for AMD and Intel Mesa's \
         (Debian, Ubuntu and Fedora: mesa-vulkan-drivers; Arch: vulkan-radeon or vulkan-intel). Mesa's package \
         also brings lavapipe, a software driver for any processor. Or use the CPU device"
    }
}
