//! Which build this is.

use super::device::default_isa;
use crate::device::{Device, cpu::Cpu, gpu::Gpu};

/// The commit that was built, `unknown` where nothing says.
const COMMIT: &str = env!("GIA_GPU_COMMIT");

/// `0.1.0 (cc9b3b6)`
pub(crate) fn version() -> String {
    format!("{} ({COMMIT})", env!("CARGO_PKG_VERSION"))
}

/// What `--version` prints: version and commit, the devices, and which of them computes where nothing else is said.
pub(crate) fn described() -> anyhow::Result<String> {
    let mut devices = vec![Cpu::<f32>::new().with_isa(default_isa()?).info()];
    devices.extend(Gpu::adapters());
    let best = devices.iter().find(|device| device.kind == "gpu" && !device.software).unwrap_or(&devices[0]);
    let best = format!("default device: {} {}", best.kind, best.name);
    let line = |kind: &str, name: &str, means: &str, software: bool| {
        format!("{kind} {name} ({means}){}", if software { ", software: only with --device gpu" } else { "" })
    };
    let lines = devices.iter().map(|d| line(&d.kind, &d.name, &d.means(), d.software));
    let lines = [format!("gia-gpu {}", version())].into_iter().chain(lines).chain([best]);
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
