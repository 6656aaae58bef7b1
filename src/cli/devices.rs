//! `gia-gpu devices`

use clap::Args;
use serde::Serialize;

use super::{device::default_isa, help::group};
use crate::device::{
    Device, DeviceInfo,
    cpu::{Cpu, Isa},
    gpu::Gpu,
};

/// List the devices this machine has.
#[derive(Args)]
#[command(
    next_help_heading = group::OUTPUT,
    after_help = "Example: gia-gpu devices --json",
    after_long_help = "JSON: a list of id (as --device takes it), kind, name, backend, driver, software; of the CPU also isa, the instruction set \
                       that is used, and isas, those that it has, widest first.\n\nExample: gia-gpu devices --json"
)]
pub(crate) struct Devices {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed {
    /// As `--device` takes it.
    id: String,
    #[serde(flatten)]
    info: DeviceInfo,
    /// Instruction sets that the CPU has, widest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    isas: Vec<&'static str>,
}

impl Devices {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let info = Cpu::<f32>::new().with_isa(default_isa()?).info();
        let isas = Isa::available().into_iter().map(Isa::name).collect();
        let mut devices = vec![Listed { id: "cpu".into(), info, isas }];
        let gpus = Gpu::adapters().into_iter().enumerate();
        devices.extend(gpus.map(|(place, info)| Listed { id: format!("gpu:{place}"), info, isas: vec![] }));
        if self.json {
            return super::print_json(&devices);
        }
        for Listed { id, info: DeviceInfo { name, backend, driver, software, isa, .. }, isas } in devices {
            let note = if software { " (software: taken only with --device gpu)" } else { "" };
            let driver = format!("{backend} {driver}");
            let sets = isa.map_or(String::new(), |isa| format!(", has {}, uses {isa}", isas.join(", ")));
            super::print_line(format!("{id:6} {name}, {}{sets}{note}", driver.trim_end()))?;
        }
        Ok(())
    }
}
