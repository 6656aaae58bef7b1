//! `gia-gpu devices`

use clap::Args;

use crate::device::{Device, DeviceInfo, cpu::Cpu, gpu::Gpu};

/// List the devices this machine has.
#[derive(Args)]
#[command(after_help = "Example: gia-gpu devices --json")]
pub struct Devices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Devices {
    pub fn run(self) -> anyhow::Result<()> {
        let mut devices = vec![Cpu::<f32>::new().info()];
        devices.extend(Gpu::adapters());
        if self.json {
            return super::print_json(&devices);
        }
        for DeviceInfo { kind, name, backend, driver, software } in devices {
            let note = if software { " (software: taken only with --device gpu)" } else { "" };
            let driver = format!("{backend} {driver}");
            super::print_line(format!("{kind:4} {name}, {}{note}", driver.trim_end()))?;
        }
        Ok(())
    }
}
