//! What the three convolutions share: the parameters of `parts/conv.wgsl`.

use super::{
    super::launch::{Launch, Slot, words},
    text,
    tiling::Tiling,
};
use crate::{device::DeviceError, plan::kernel::ConvKernel, tape::spec::ConvSpec};

pub const PARAMS: &str = include_str!("../../../../shaders/parts/conv.wgsl");
pub const COUNTER: &str = include_str!("../../../../shaders/parts/counter.wgsl");

/// One of the three convolutions as a matrix product.
pub struct Product {
    /// Name of the shader's file, and its finished text.
    pub kernel: &'static str,
    pub source: String,
    pub tiling: Tiling,
    /// Rows and columns, for one trial and group.
    pub size: [usize; 2],
    /// Contracted length.
    pub k: usize,
    /// Elements of the two operands and of the result, for one trial.
    pub lens: [usize; 3],
}

impl Product {
    pub fn launches(
        self,
        kernel: &ConvKernel,
        reads: Vec<Slot>,
        write: Slot,
    ) -> Result<Vec<Launch>, DeviceError> {
        let mut params = self.tiling.grid(self.size)?;
        params.extend(words(self.sizes(kernel))?);
        self.tiling.launches(self.kernel, self.source, params, reads, write)
    }

    /// The shader's `Params` after its grid.
    fn sizes(&self, &ConvKernel { spec, trials, shared }: &ConvKernel) -> [usize; 28] {
        let [first, second, out_len] = self.lens;
        let ConvSpec { channels, outputs, size, kernel, stride, padding, dilation, groups, .. } = spec;
        let output = spec.output_size();
        let [classes_h, classes_w] = classes(&spec);
        let [step_h, step_w] = tap_step(&spec);
        [
            self.k,
            out_len,
            trials * out_len,
            if shared[0] { 0 } else { first },
            if shared[1] { 0 } else { second },
            groups,
            channels,
            outputs,
            channels / groups,
            outputs / groups,
            size[0],
            size[1],
            output[0],
            output[1],
            kernel[0],
            kernel[1],
            stride[0],
            stride[1],
            padding[0],
            padding[1],
            dilation[0],
            dilation[1],
            classes_h,
            classes_w,
            step_h,
            step_w,
            dilation[0] * step_h / stride[0],
            dilation[1] * step_w / stride[1],
        ]
    }
}

/// The shader's constant of whether a tap can lie outside the picture.
pub fn padded(spec: &ConvSpec) -> &'static str {
    text::boolean(spec.padding != [0, 0])
}

/// Residue classes of input positions modulo the stride, on each axis: all inputs of a class meet the same taps.
pub fn classes(spec: &ConvSpec) -> [usize; 2] {
    [0, 1].map(|d| spec.stride[d].min(spec.size[d]))
}

/// Distance of the taps that one input meets, on each axis: `stride / gcd(stride, dilation)`.
pub fn tap_step(spec: &ConvSpec) -> [usize; 2] {
    fn gcd(a: usize, b: usize) -> usize {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    [0, 1].map(|d| spec.stride[d] / gcd(spec.stride[d], spec.dilation[d]))
}
