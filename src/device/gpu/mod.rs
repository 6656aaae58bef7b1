//! The GPU device on wgpu: Vulkan, Metal, DX12.
//!
//! A plan's steps become launches: a finished shader, its parameters, its buffers and
//! its dispatch size. Everything they need is made when a plan is compiled; a replay only encodes.

mod adapter;
mod clock;
mod context;
mod executable;
mod kernels;
mod launch;
mod measure;
mod memory;
mod options;
mod pace;
mod pipeline;
mod probe;
mod store;
pub mod tune;
mod visible;
pub mod wgsl;

use std::sync::Arc;

use super::{
    Device, DeviceError, DeviceInfo, Executable,
    probe::{Limit, Probe},
    profile::{self, Profile},
};
use crate::plan::{Plan, kernel::Step};
use context::Context;
use executable::GpuExecutable;
pub use kernels::{Style, TILES, Tile};
use launch::Launch;
pub use options::{GpuOptions, Tuning};
pub use store::default_folder;
use tune::Tuner;

/// An opened adapter, and the pipelines compiled on it so far.
pub struct Gpu {
    context: Arc<Context>,
    style: Style,
    tuner: Option<Tuner>,
}

/// A finished shader, for tools that look at its text.
pub struct Shader {
    /// Name of the kernel's file in `shaders/`.
    pub kernel: &'static str,
    /// Which of the kernel's texts: the tile, `-edge` where sizes are no multiples of it. Empty where there is one.
    pub variant: String,
    /// WGSL with one entry point, `main`.
    pub source: String,
}

impl Shader {
    fn of(launch: Launch) -> Shader {
        Shader { kernel: launch.kernel, variant: launch.variant, source: launch.source }
    }
}

impl Gpu {
    /// Opens the best adapter: a discrete GPU before an integrated one, software last and only if allowed.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`] if there is none, [`DeviceError::Failed`] if its driver refuses.
    pub fn new(options: GpuOptions) -> Result<Self, DeviceError> {
        let adapter = adapter::choose(&options)?;
        let (software, identity) = adapter::identity(&adapter);
        let measured = match options.tuning {
            Tuning::Measured => !software,
            Tuning::Forced => true,
            Tuning::Rule | Tuning::Only(_) => false,
        };
        // A software driver leaves nothing on the disk unless it is told to act like any other.
        let folder = options.cache.as_deref().filter(|_| !software || options.tuning == Tuning::Forced);
        let context = Context::open(&adapter, &options, folder)?;
        let style = Style {
            tile: if let Tuning::Only(tile) = options.tuning { Some(tile) } else { None },
            subgroups: context.device.features().contains(wgpu::Features::SUBGROUP) && options.subgroups,
            half_tiles: options.half_tiles,
        };
        let tuner = measured.then(|| Tuner::open(&identity, folder));
        Ok(Gpu { context: Arc::new(context), style, tuner })
    }

    /// Every adapter that a driver offers, usable or not.
    pub fn adapters() -> Vec<DeviceInfo> {
        adapter::all().iter().map(|adapter| adapter::info(&adapter.get_info())).collect()
    }

    /// Every shader that a device might run for a plan, in order: contractions in each of their tiles.
    /// Needs no adapter. `style` says what the device has; with a tile, contractions come in that one alone.
    ///
    /// # Errors
    /// As for [`Device::compile`], as far as no device is needed.
    pub fn shaders(plan: &Plan, style: Style) -> Result<Vec<Shader>, DeviceError> {
        let mut shaders = Vec::new();
        for step in &plan.with_sums_apart().steps {
            let tiles = style.tile.map_or_else(|| kernels::candidates(step), |tile| vec![tile]);
            let untiled = tiles.is_empty().then_some(None);
            for tile in tiles.into_iter().map(Some).chain(untiled) {
                let launches = kernels::launches(step, &Style { tile, ..style })?;
                shaders.extend(launches.into_iter().map(Shader::of));
            }
        }
        Ok(shaders)
    }

    /// Everything that each step of a plan dispatches, in order.
    fn launches(plan: &Plan, style: impl Fn(&Step) -> Style) -> Result<Vec<Vec<Launch>>, DeviceError> {
        let of_step = |(at, step): (usize, &Step)| {
            kernels::launches(step, &style(step)).map_err(|error| match error {
                DeviceError::Failed(why) => DeviceError::Failed(format!("step {at}, {}: {why}", step.name())),
                other => other,
            })
        };
        plan.steps.iter().enumerate().map(of_step).collect()
    }

    /// Of a plan whose sums are apart.
    fn executable(&self, plan: &Plan) -> Result<GpuExecutable, DeviceError> {
        super::cpu::check(plan)?;
        let tuned = |step: &Step| Style { tile: self.tile(plan, step), ..self.style };
        let launches = Gpu::launches(plan, tuned)?;
        if let Some(tuner) = &self.tuner {
            tuner.save();
        }
        let executable = GpuExecutable::new(self.context.clone(), plan, launches)?;
        self.context.pipelines.save();
        Ok(executable)
    }

    /// The tile of a contraction; none is the fixed rule's.
    fn tile(&self, plan: &Plan, step: &Step) -> Option<Tile> {
        let Some(tuner) = &self.tuner else { return self.style.tile };
        let candidates = kernels::candidates(step);
        // What is compiled differs with the checks and the elements of a tile, and so may what is fastest.
        let shape = format!(
            "{:?}{}{}",
            step.kernel,
            if self.style.half_tiles { " half" } else { "" },
            if self.context.pipelines.checked() { " checked" } else { "" }
        );
        tuner.choose(&shape, &candidates, &mut |tile| {
            let style = Style { tile: Some(tile), ..self.style };
            measure::step(&self.context, plan, step, &style)
        })
    }

    /// The shaders of the probes. Needs no adapter.
    pub fn probe_shaders() -> Result<Vec<Shader>, DeviceError> {
        let shader = |limit| {
            let (launch, ..) = probe::prepare(limit, 1 << 20)?;
            Ok(Shader::of(launch))
        };
        [Limit::Arithmetic, Limit::Memory].into_iter().map(shader).collect()
    }
}

impl Device for Gpu {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(self.executable(&plan.with_sums_apart())?))
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        let plan = plan.with_sums_apart();
        // The tile changes nothing about memory.
        memory::required(&self.context, &plan, &Gpu::launches(&plan, |_| self.style)?.concat())
    }

    fn info(&self) -> DeviceInfo {
        self.context.info.clone()
    }

    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError> {
        let plan = plan.with_sums_apart();
        let mut executable = self.executable(&plan)?;
        profile::fill(&plan, &mut executable)?;
        Profile::of(plan, iterations, || executable.run_timed())
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        probe::probe(self.context.clone(), limit)
    }
}
