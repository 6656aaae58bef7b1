//! `--device` and `--isa`

use std::{env, str::FromStr};

use clap::{
    Arg, Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser},
};

use super::{help::group, misuse, note, verbosity::detail};
use crate::device::{
    Device, DeviceError,
    cpu::{Cpu, Isa, IsaError},
    gpu::{Gpu, GpuOptions, Tuning, default_folder},
};

/// `off`: tiles are chosen by a fixed rule, and nothing is timed.
const TUNE: &str = "GIA_GPU_TUNE";
/// Stands for `--isa` where that is not given.
const ISA: &str = "GIA_GPU_ISA";

/// A value of `--device`, or one of several.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DeviceChoice {
    /// A real GPU if there is one, else the CPU.
    Auto,
    Cpu,
    /// A GPU, or a software driver where there is nothing else.
    Gpu,
    /// By place, PCI address or name.
    One(String),
}

/// What `--device` says: one, several, or every real GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DeviceChoices {
    These(Vec<DeviceChoice>),
    All,
}

impl FromStr for DeviceChoices {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceChoices, String> {
        let one = |text: &str| match text.trim() {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "gpu" => Ok(DeviceChoice::Gpu),
            text => match text.strip_prefix("gpu:").map(str::trim) {
                Some(which) if !which.is_empty() => Ok(DeviceChoice::One(which.into())),
                _ => Err(format!(
                    "expected auto, cpu, gpu, gpu:N (or a name or PCI address), several of them, or all, found '{text}'"
                )),
            },
        };
        if text.trim() == "all" {
            return Ok(DeviceChoices::All);
        }
        text.split(',').map(one).collect::<Result<_, _>>().map(DeviceChoices::These)
    }
}

/// What `--isa` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IsaChoice {
    Auto,
    One(Isa),
    /// Of `bench` alone.
    All,
}

/// Where to compute, and with which vectors.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::DEVICE)]
pub(crate) struct Place {
    /// auto, cpu, gpu, or gpu:N as `devices` lists them
    ///
    /// auto is a real GPU if there is one, else the CPU; gpu a GPU, or a software driver where there is nothing else; gpu:N,
    /// gpu:NAME or gpu:PCI-ADDRESS that one. sweep, run, invert and guide take several (gpu:0,gpu:1), or all real ones (all), and spread their work.
    #[arg(long, value_name = "D,D|all", default_value = "auto")]
    device: DeviceChoices,
    /// Instruction set of the CPU device
    ///
    /// Without it auto; the environment variable GIA_GPU_ISA sets another default.
    #[arg(long, value_name = "SET", value_parser = values(false))]
    isa: Option<IsaChoice>,
}

impl Place {
    /// The device.
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Device>> {
        let several = match &self.device {
            DeviceChoices::All => true,
            DeviceChoices::These(these) => these.len() > 1,
        };
        if several {
            return Err(misuse(
                "--device: several devices are for `run`, `invert`, `guide` and `sweep`, expected one",
            ));
        }
        let device = self.open_each()?.remove(0);
        detail(|| format!("computes on {}", device.info().facts()));
        Ok(device)
    }

    /// All that are asked for, one or more; the CPU device once for each instruction set, widest first.
    pub(crate) fn open_each(&self) -> anyhow::Result<Vec<Box<dyn Device>>> {
        let isas = self.isas()?;
        let on_cpu = || -> Vec<Box<dyn Device>> {
            isas.iter().map(|&isa| Box::new(Cpu::<f32>::new().with_isa(isa)) as Box<dyn Device>).collect()
        };
        let mut devices: Vec<Box<dyn Device>> = vec![];
        for choice in self.choices() {
            match choice {
                DeviceChoice::Cpu => devices.extend(on_cpu()),
                DeviceChoice::Gpu => devices.push(Box::new(gpu(true, None)?)),
                DeviceChoice::One(which) => match gpu(true, Some(which)) {
                    Err(error @ DeviceError::NoSuchAdapter(_)) => {
                        return Err(misuse(format!("--device {error}")));
                    }
                    device => devices.push(Box::new(device?)),
                },
                DeviceChoice::Auto => match gpu(false, None) {
                    Ok(gpu) => devices.push(Box::new(gpu)),
                    Err(error) => {
                        if !matches!(error, DeviceError::NoAdapter(_)) {
                            note(&format!("the CPU computes: {error}"));
                        }
                        devices.extend(on_cpu());
                    }
                },
            }
        }
        Ok(devices)
    }

    /// One by one; `all` is every real GPU, or the CPU where there is none.
    fn choices(&self) -> Vec<DeviceChoice> {
        let DeviceChoices::These(these) = &self.device else {
            let real = Gpu::adapters().into_iter().enumerate().filter(|(_, info)| !info.software);
            let real: Vec<_> = real.map(|(place, _)| DeviceChoice::One(place.to_string())).collect();
            return if real.is_empty() { vec![DeviceChoice::Cpu] } else { real };
        };
        these.clone()
    }

    /// Whether every instruction set is asked for.
    pub(crate) fn every_isa(&self) -> bool {
        self.isa == Some(IsaChoice::All)
    }

    /// Of the CPU device; none where it is not asked for.
    fn isas(&self) -> anyhow::Result<Vec<Isa>> {
        let name = match self.isa {
            Some(IsaChoice::One(isa)) => isa.name(),
            Some(IsaChoice::All) => "all",
            _ => "auto",
        };
        let is_gpu = |choice: &DeviceChoice| matches!(choice, DeviceChoice::Gpu | DeviceChoice::One(_));
        let gpus = matches!(&self.device, DeviceChoices::These(these) if these.iter().all(is_gpu));
        match (gpus, self.isa) {
            (true, _) if name != "auto" => Err(misuse(format!(
                "--isa {name} is for the CPU device, and --device gpu asks for a GPU: leave one of them out"
            ))),
            (true, _) => Ok(vec![]),
            (_, Some(IsaChoice::All)) => Ok(Isa::available()),
            (_, Some(IsaChoice::One(isa))) => Ok(vec![isa]),
            (_, Some(IsaChoice::Auto)) => Ok(vec![Isa::widest()]),
            (_, None) => Ok(vec![default_isa()?]),
        }
    }
}

fn gpu(allow_software: bool, which: Option<String>) -> Result<Gpu, DeviceError> {
    let tuning = match env::var(TUNE) {
        Ok(value) if value == "off" => Tuning::Rule,
        _ => Tuning::Measured,
    };
    Gpu::new(GpuOptions { which, allow_software, tuning, cache: default_folder(), ..GpuOptions::default() })
}

/// What the CPU device uses where no option says otherwise: `GIA_GPU_ISA`, or the widest that there is.
pub(crate) fn default_isa() -> anyhow::Result<Isa> {
    match env::var_os(ISA) {
        Some(name) if !name.is_empty() => {
            name.to_string_lossy().parse().map_err(|error| misuse(format!("{ISA}: {error}")))
        }
        _ => Ok(Isa::widest()),
    }
}

/// `--isa` with `all` among its values.
pub(crate) fn with_all(isa: Arg) -> Arg {
    isa.value_parser(values(true))
}

/// The values of `--isa`, with `all` where `all` says so; a set that the processor has not is an error.
fn values(all: bool) -> ValueParser {
    let auto = PossibleValue::new("auto").help("The widest that this processor has");
    let every = PossibleValue::new("all").help("Each that this processor has");
    let names = Isa::NAMES.iter().map(|name| PossibleValue::new(*name));
    let names = [auto].into_iter().chain(names).chain(all.then_some(every));
    let choice = |name: String| -> Result<IsaChoice, IsaError> {
        match name.as_str() {
            "auto" => Ok(IsaChoice::Auto),
            "all" => Ok(IsaChoice::All),
            name => name.parse().map(IsaChoice::One),
        }
    };
    PossibleValuesParser::new(names).try_map(choice).into()
}
