//! Each kernel at the shapes of real attacks, against the device's peaks.
//!
//! What memory holds up is measured on tensors larger than the caches, so that a share of the memory's peak is one.

use serde::Serialize;

use super::{
    BenchError, Case, Peaks, Spread,
    case::{fused, square, transposed},
    sample,
};
use crate::{
    device::Device,
    plan::kernel::View,
    tape::{op::Unary, spec::WindowSpec},
};

/// Elements of a tensor larger than the caches: 64 MiB.
const LARGE: usize = 16 << 20;
/// The side of a square one.
const SIDE: usize = 4096;

/// What holds a kernel up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The device's floating-point operations.
    Arithmetic,
    /// What the device's memory can move.
    Memory,
}

/// What a kernel came to.
#[derive(Clone, Debug, Serialize)]
pub struct KernelMeasured {
    /// As its files are called.
    pub kernel: &'static str,
    /// Sizes of its operands, in words.
    pub shape: String,
    /// Of one call.
    pub seconds: Spread,
    /// Floating-point operations of the plain algorithm; a faster one may do with less, and exceed the peak.
    pub flops: u64,
    /// Bytes of its operands and result, each counted once.
    pub bytes: u64,
    /// `flops` by the median time.
    pub flops_per_second: f64,
    /// `bytes` by the median time.
    pub bytes_per_second: f64,
    /// The peak that it would run into first.
    pub bound: Bound,
    /// Of that peak; 1 is all of it.
    pub share: f64,
}

impl Case {
    /// Calls the kernel for about so many seconds, and compares its speed with the device's peaks.
    pub fn measure(
        &self,
        device: &dyn Device,
        peaks: &Peaks,
        seconds: f64,
    ) -> Result<KernelMeasured, BenchError> {
        let (flops, bytes) = (self.flops(), self.bytes());
        let mut compiled = self.compile(device)?;
        let spread = sample(seconds, |replays| compiled.run(replays))?;
        let at_best = [flops as f64 / peaks.flops_per_second, bytes as f64 / peaks.bytes_per_second];
        let bound = if at_best[0] > at_best[1] { Bound::Arithmetic } else { Bound::Memory };
        Ok(KernelMeasured {
            kernel: self.name(),
            shape: self.shape.clone(),
            flops,
            bytes,
            flops_per_second: flops as f64 / spread.median,
            bytes_per_second: bytes as f64 / spread.median,
            bound,
            share: at_best[0].max(at_best[1]) / spread.median,
            seconds: spread,
        })
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let matmuls = [[1, 1024, 1024, 1024], [64, 12, 300, 256], [1, 1, 3072, 1024]].map(Case::matmul);
    // Of ConvNet64, ResNet-18, ResNet-20 and LeNet-Zhu.
    let convolutions = [
        [1, 1, 256, 256, 32, 3, 1],
        [1, 4, 64, 64, 32, 3, 1],
        [1, 4, 256, 512, 8, 3, 2],
        [16, 1, 16, 16, 32, 3, 1],
        [64, 1, 12, 12, 16, 5, 2],
    ];
    let (line, plane) = ([LARGE], [SIDE; 2]);
    let maps = [
        Case::map("a·b+c", &line, fused(&line, None)),
        Case::map("σ(a·b+c)", &line, fused(&line, Some(Unary::Sigmoid))),
        Case::map("transposed a²", &plane, square(transposed(plane))),
        Case::sum("Σ a·b+c", &line, 0, fused(&line, None)),
        Case::sum("Σ a² along rows", &plane, 1, square(View::contiguous(&plane))),
        Case::sum("Σ a² along columns", &plane, 1, square(transposed(plane))),
    ];
    let pooling = WindowSpec { size: [32; 2], kernel: [2; 2], stride: [2; 2], padding: [0; 2] };
    let mut cases = Vec::from(matmuls);
    cases.extend(convolutions.into_iter().flat_map(Case::convolutions));
    cases.extend(maps);
    cases.extend(Case::windows(pooling, LARGE / (32 * 32)));
    cases
}
