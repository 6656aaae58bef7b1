//! How a GPU is chosen and how its shaders are made.

use std::path::PathBuf;

use super::Tile;

/// How a [`Gpu`](super::Gpu) is chosen and how its shaders are compiled.
#[derive(Clone, Debug)]
pub struct GpuOptions {
    /// This one alone: its place among [`Gpu::adapters`](super::Gpu::adapters), its PCI address, or its name or a part of that
    /// which no other has.
    pub which: Option<String>,
    /// Takes a software driver such as lavapipe or WARP if there is no GPU.
    pub allow_software: bool,
    /// Compiles shaders with bounds checks and loop bounds, as for text from a stranger.
    pub checked: bool,
    /// How the tiles of contractions are chosen. It never changes a result.
    pub tuning: Tuning,
    /// Folder for what was measured and compiled, see [`default_folder`](super::default_folder). Without one
    /// it is kept as long as the device. A software driver uses none, unless tuning is forced.
    pub cache: Option<PathBuf>,
    /// Lets long reductions exchange within subgroups where the adapter has them. The order of additions then
    /// depends on the adapter's subgroups.
    pub subgroups: bool,
    /// Stores the tiles of matrix products and convolutions as f16 in workgroup memory, added up in f32: half
    /// the traffic there, but operands are rounded to 11 bits, those beyond 65,504 become infinite, and those
    /// below 6·10⁻⁸ zero. Gradient matching needs more; this is for forward passes and experiments.
    pub half_tiles: bool,
}

impl Default for GpuOptions {
    /// A real GPU, trusted shaders, tuned in memory, all of f32's accuracy.
    fn default() -> Self {
        GpuOptions {
            which: None,
            allow_software: false,
            checked: false,
            tuning: Tuning::Measured,
            cache: None,
            subgroups: true,
            half_tiles: false,
        }
    }
}

/// Where the tile of a contraction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// From times on this adapter, taken when a shape is first compiled; by the fixed rule on a software driver.
    Measured,
    /// By a fixed rule.
    Rule,
    /// From times on software drivers, too.
    Forced,
    /// Always this one.
    Only(Tile),
}
