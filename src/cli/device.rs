//! `--device` and `--isa`

use std::env;

use clap::{
    Arg, Args, ValueEnum,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU
    Auto,
    /// The CPU, which every machine has
    Cpu,
    /// A GPU, or a software driver where there is nothing else
    Gpu,
}

/// What `--isa` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsaChoice {
    Auto,
    One(Isa),
    /// Of `bench` alone.
    All,
}

/// Where to compute, and with which vectors.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::DEVICE)]
pub struct Place {
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Instruction set of the CPU device
    ///
    /// Without it auto; the environment variable GIA_GPU_ISA sets another default.
    #[arg(long, value_name = "SET", value_parser = values(false))]
    isa: Option<IsaChoice>,
}

impl Place {
    /// The device.
    pub fn open(&self) -> anyhow::Result<Box<dyn Device>> {
        let device = self.open_each()?.remove(0);
        detail(|| format!("computes on {}", device.info().facts()));
        Ok(device)
    }

    /// The CPU device once for each instruction set that is asked for, widest first, or the GPU.
    pub fn open_each(&self) -> anyhow::Result<Vec<Box<dyn Device>>> {
        let isas = self.isas()?;
        let on_cpu = || -> Vec<Box<dyn Device>> {
            isas.iter().map(|&isa| Box::new(Cpu::<f32>::new().with_isa(isa)) as Box<dyn Device>).collect()
        };
        let tuning = match env::var(TUNE) {
            Ok(value) if value == "off" => Tuning::Rule,
            _ => Tuning::Measured,
        };
        let gpu = |allow_software| {
            Gpu::new(GpuOptions { allow_software, tuning, cache: default_folder(), ..GpuOptions::default() })
        };
        Ok(match self.device {
            DeviceChoice::Cpu => on_cpu(),
            DeviceChoice::Gpu => vec![Box::new(gpu(true)?)],
            DeviceChoice::Auto => match gpu(false) {
                Ok(gpu) => vec![Box::new(gpu)],
                Err(error) => {
                    if !matches!(error, DeviceError::NoAdapter(_)) {
                        note(&format!("the CPU computes: {error}"));
                    }
                    on_cpu()
                }
            },
        })
    }

    /// Whether every instruction set is asked for.
    pub fn every_isa(&self) -> bool {
        self.isa == Some(IsaChoice::All)
    }

    /// Of the CPU device; none where it is not asked for.
    fn isas(&self) -> anyhow::Result<Vec<Isa>> {
        let name = match self.isa {
            Some(IsaChoice::One(isa)) => isa.name(),
            Some(IsaChoice::All) => "all",
            _ => "auto",
        };
        match (self.device, self.isa) {
            (DeviceChoice::Gpu, _) if name != "auto" => Err(misuse(format!(
                "--isa {name} is for the CPU device, and --device gpu asks for a GPU: leave one of them out"
            ))),
            (DeviceChoice::Gpu, _) => Ok(vec![]),
            (_, Some(IsaChoice::All)) => Ok(Isa::available()),
            (_, Some(IsaChoice::One(isa))) => Ok(vec![isa]),
            (_, Some(IsaChoice::Auto)) => Ok(vec![Isa::widest()]),
            (_, None) => Ok(vec![default_isa()?]),
        }
    }
}

/// What the CPU device uses where no option says otherwise: `GIA_GPU_ISA`, or the widest that there is.
pub fn default_isa() -> anyhow::Result<Isa> {
    match env::var_os(ISA) {
        Some(name) if !name.is_empty() => {
            name.to_string_lossy().parse().map_err(|error| misuse(format!("{ISA}: {error}")))
        }
        _ => Ok(Isa::widest()),
    }
}

/// `--isa` with `all` among its values.
pub fn with_all(isa: Arg) -> Arg {
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
