//! Where a plan runs. Two devices behind one interface: [`cpu`] (the twin of every kernel) and
//! [`gpu`] (wgpu: Vulkan, Metal, DX12).

pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod host;
pub mod limited;
pub mod probe;
pub mod profile;
pub mod several;

use crate::{plan::Plan, tape::Var};
use probe::{Limit, Probe};
use profile::Profile;

/// A place that can run plans.
pub trait Device: Send + Sync {
    /// Allocates the plan's buffers, uploads its literals, prepares its kernels.
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError>;
    /// Bytes that [`Device::compile`] would allocate.
    ///
    /// # Errors
    /// [`DeviceError::TooLarge`] if the device does not have them, or cannot bind so large a buffer.
    fn required(&self, plan: &Plan) -> Result<u64, DeviceError>;
    /// What reports say about it.
    fn info(&self) -> DeviceInfo;
    /// How long each step of the plan takes, over so many iterations with numbers drawn from N(0,0.01).
    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError>;
    /// Work that this limit alone holds up, to measure it by.
    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError>;
    /// Devices of the same kind that work can be [spread](several::Several) over beside this one.
    fn others(&self) -> Vec<&dyn Device> {
        vec![]
    }
}

/// A compiled plan and its buffers. Inputs are zero until written; state lives here between runs.
pub trait Executable: Send {
    /// Fills the buffer of an input or state. `data` is row-major, of the input's length.
    fn write(&mut self, input: Var, data: &[f32]) -> Result<(), DeviceError>;
    /// Replays the plan `iterations` times.
    fn run(&mut self, iterations: usize) -> Result<(), DeviceError>;
    /// Reads an input, a state or a kept output, row-major.
    fn read(&mut self, output: Var) -> Result<Vec<f32>, DeviceError>;
}

/// Fills several buffers, each with its own values.
///
/// # Errors
/// As [`Executable::write`].
pub fn write_all<'a, 'b>(
    executable: &mut dyn Executable,
    vars: impl IntoIterator<Item = &'a Var>,
    values: impl IntoIterator<Item = &'b Vec<f32>>,
) -> Result<(), DeviceError> {
    vars.into_iter().zip(values).try_for_each(|(&var, values)| executable.write(var, values))
}

/// A real GPU if there is one, else the CPU device.
pub fn open() -> Box<dyn Device> {
    #[cfg(feature = "gpu")]
    if let Ok(gpu) =
        gpu::Gpu::new(gpu::GpuOptions { cache: gpu::default_folder(), ..gpu::GpuOptions::default() })
    {
        return Box::new(gpu);
    }
    Box::new(cpu::Cpu::<f32>::new())
}

/// What a report says about the device.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct DeviceInfo {
    /// `cpu` or `gpu`.
    pub kind: String,
    /// The adapter's or processor's name.
    pub name: String,
    /// Graphics API, `native` for the CPU.
    pub backend: String,
    /// Name and version of the driver; may be empty.
    pub driver: String,
    /// True for a software driver such as lavapipe.
    pub software: bool,
    /// Instruction set of the CPU device's loops, as `--isa` calls it; absent on a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isa: Option<String>,
}

impl DeviceInfo {
    /// What computes, in one line; others round differently.
    pub fn facts(&self) -> String {
        let DeviceInfo { kind, name, backend, isa, .. } = self;
        let isa = isa.as_ref().map_or(String::new(), |isa| format!(", {isa}"));
        format!("{kind} {name} ({backend}{isa})")
    }

    /// What it computes with, as in `native, avx2` or `vulkan, radv Mesa 25.0`.
    pub fn means(&self) -> String {
        let parts = [Some(&self.backend), Some(&self.driver), self.isa.as_ref()];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// Why a device cannot compute.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no GPU, or no driver for it.
    #[error("no usable GPU adapter: {0}")]
    NoAdapter(String),
    /// The user asked for an adapter that there is not; the text has those that there are.
    #[error("{0}")]
    NoSuchAdapter(String),
    /// A plan or tensor needs more memory than there is.
    #[error("{what} needs {needed} bytes, more than the device's {limit_name} of {limit} bytes")]
    TooLarge {
        /// The plan or tensor.
        what: String,
        /// Bytes that it needs.
        needed: u64,
        /// Which limit it is.
        limit_name: &'static str,
        /// Bytes of the limit.
        limit: u64,
    },
    /// The caller reads or writes a variable that the plan does not keep.
    #[error("{0:?} is neither an input nor a kept output of this plan")]
    UnknownVar(Var),
    /// The caller writes a tensor of another length.
    #[error("{var:?} holds {expected} elements, {found} given")]
    WrongLength {
        /// The variable.
        var: Var,
        /// Its elements.
        expected: usize,
        /// Elements that were given.
        found: usize,
    },
    /// The driver reports an error, or the device is lost.
    #[error("the device failed: {0}")]
    Failed(String),
}
