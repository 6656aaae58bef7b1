//! `--device`

use std::io::{self, Write};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::device::{
    Device, DeviceError,
    cpu::Cpu,
    gpu::{Gpu, GpuOptions, Tuning, default_folder},
};

/// `off`: tiles are chosen by a fixed rule, and nothing is timed.
const TUNE: &str = "GIA_GPU_TUNE";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU
    Auto,
    Cpu,
    /// A GPU, or a software driver where there is nothing else
    Gpu,
}

impl DeviceChoice {
    pub fn open(self) -> anyhow::Result<Box<dyn Device>> {
        let tuning = match std::env::var(TUNE) {
            Ok(value) if value == "off" => Tuning::Rule,
            _ => Tuning::Measured,
        };
        let gpu = |allow_software| {
            Gpu::new(GpuOptions { allow_software, tuning, cache: default_folder(), ..GpuOptions::default() })
        };
        Ok(match self {
            DeviceChoice::Cpu => Box::new(Cpu::<f32>::new()),
            DeviceChoice::Gpu => Box::new(gpu(true)?),
            DeviceChoice::Auto => match gpu(false) {
                Ok(gpu) => Box::new(gpu),
                Err(error) => {
                    if !matches!(error, DeviceError::NoAdapter(_)) {
                        let _ = writeln!(io::stderr(), "the CPU computes: {error}");
                    }
                    Box::new(Cpu::<f32>::new())
                }
            },
        })
    }
}
