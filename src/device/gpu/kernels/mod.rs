//! The Rust side of every kernel: its parameters, its variant, its dispatch size.

mod conv;
mod conv2d;
mod conv2d_grad_input;
mod conv2d_grad_weight;
mod depthwise;
mod expression;
mod gather;
mod map;
mod map_reduce;
mod matmul;
mod operand;
mod pointwise;
pub(crate) mod probe_fma;
pub(crate) mod probe_triad;
mod scatter_add;
mod space;
mod split;
mod tile;
mod tiling;
mod window;
mod window_argmax;
mod window_gather;
mod window_scatter;
mod window_spread;
mod window_sum;

pub use tile::{TILES, Tile};

use super::launch::{Launch, Slot};
use crate::{
    device::DeviceError,
    plan::kernel::{Kernel, Step},
};

/// Workgroups that keep a large GPU busy.
const BUSY: usize = 256;
/// Invocations of a workgroup, of tiles at most.
const WORKGROUP: usize = 256;

/// How a kernel is written where there is a choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// The tile of a contraction; none is the fixed rule's.
    pub tile: Option<Tile>,
    /// Long reductions exchange within subgroups.
    pub subgroups: bool,
    /// Tiles are kept in workgroup memory as f16, and added up in f32.
    pub half_tiles: bool,
}

/// What one replay of a step dispatches, in order.
pub(crate) fn launches(step: &Step, style: &Style) -> Result<Vec<Launch>, DeviceError> {
    let product = pointwise::as_matmul(step);
    let step = product.as_ref().unwrap_or(step);
    let reads: Vec<_> = step.reads.iter().map(|&id| Slot::Buffer(id)).collect();
    let write = Slot::Buffer(step.write);
    match &step.kernel {
        Kernel::Map(kernel) => map::launches(kernel, reads, write),
        Kernel::MapReduce(kernel) => map_reduce::launches(kernel, reads, write, style),
        Kernel::Matmul(kernel) => matmul::launches(kernel, reads, write, style),
        Kernel::Conv2d(kernel) => conv2d::launches(kernel, reads, write, style),
        Kernel::Conv2dGradInput(kernel) => conv2d_grad_input::launches(kernel, reads, write, style),
        Kernel::Conv2dGradWeight(kernel) => conv2d_grad_weight::launches(kernel, reads, write, style),
        Kernel::Conv2dSum(_) | Kernel::Conv2dGradInputSum(_) => {
            Err(DeviceError::Failed("a sum of convolutions that was not taken apart".into()))
        }
        Kernel::WindowArgmax(kernel) => window_argmax::launches(kernel, reads, write),
        Kernel::WindowGather(kernel) => window_gather::launches(kernel, reads, write),
        Kernel::WindowScatter(kernel) => window_scatter::launches(kernel, reads, write),
        Kernel::WindowSum(kernel) => window_sum::launches(kernel, reads, write),
        Kernel::WindowSpread(kernel) => window_spread::launches(kernel, reads, write),
        Kernel::Gather(kernel) => gather::launches(kernel, reads, write),
        Kernel::ScatterAdd(kernel) => scatter_add::launches(kernel, reads, write, style),
    }
}

/// The tiles that may suit a step, the fixed rule's first; none where it is not tiled.
pub(crate) fn candidates(step: &Step) -> Vec<Tile> {
    let product = pointwise::as_matmul(step);
    let extent = match &product.as_ref().unwrap_or(step).kernel {
        Kernel::Matmul(kernel) => matmul::extent(kernel),
        Kernel::Conv2d(kernel) => conv2d::extent(kernel),
        Kernel::Conv2dGradInput(kernel) => conv2d_grad_input::extent(kernel),
        Kernel::Conv2dGradWeight(kernel) => conv2d_grad_weight::extent(kernel),
        _ => None,
    };
    extent.map_or_else(Vec::new, |extent| Tile::candidates(&extent))
}
