//! The ways in which a convolution is computed, and which is taken.

pub(crate) mod by_outputs;
mod by_outputs_grad;
mod by_outputs_tiles;
pub(crate) mod col2im;
mod depthwise;
mod depthwise_form;
mod depthwise_grad;
mod depthwise_tiles;
mod direct;
mod direct_form;
mod direct_grad;
mod direct_split;
mod direct_tiles;
pub(crate) mod pad;
pub(crate) mod patches;
mod plain;
mod weights;
mod winograd;

use self::{by_outputs_tiles::LANES, direct_form::has_rows, plain::is_plain};
use crate::{
    device::cpu::{memory::workers::Workers, vectors::Real},
    plan::kernel::ConvKernel,
};

/// Taps from which on runs of results pay.
const TAPS: usize = 4;

/// How a convolution, or one of its gradients, is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A matrix product with the patches of x. Fits every convolution.
    Patches,
    /// Vectors of output channels in registers. Fits small kernels of stride 1 or 2, one group, and enough outputs to fill a vector.
    Outputs,
    /// Runs of pixels in registers. Fits kernels of stride 1 or 2, one group, over rows of whole vectors; gradients by w of 3×3 kernels
    /// of stride 1, outputs in fours.
    Direct,
    /// Winograd's F(4×4, 3×3). Fits 3×3 kernels of stride 1, one group, padding up to 2.
    Winograd,
    /// Channels side by side in vectors. Fits as many groups as channels and outputs.
    Depthwise,
}

/// The three derivatives of ⟨conv(x, w), g⟩.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derivative {
    Output,
    Input,
    Weight,
}

/// A convolution's way, with its sizes.
#[derive(Clone, Debug)]
pub(crate) enum Chosen {
    Patches,
    Outputs(by_outputs::Convolution),
    Direct(direct::Convolution),
    Winograd(winograd::Convolution),
    Depthwise(depthwise::Convolution),
}

impl Chosen {
    /// For the output or the gradient by x. `wanted` is taken where it fits.
    pub(crate) fn new(kernel: &ConvKernel, derivative: Derivative, wanted: Option<Way>) -> Chosen {
        let of_input = derivative == Derivative::Input;
        let chosen = match wanted.unwrap_or_else(|| fastest(kernel, derivative)) {
            Way::Patches => None,
            Way::Outputs if of_input => by_outputs::Convolution::grad_input(kernel).map(Chosen::Outputs),
            Way::Outputs => by_outputs::Convolution::new(kernel).map(Chosen::Outputs),
            Way::Direct if of_input => direct::Convolution::grad_input(kernel).map(Chosen::Direct),
            Way::Direct => direct::Convolution::new(kernel).map(Chosen::Direct),
            Way::Winograd if of_input => winograd::Convolution::grad_input(kernel).map(Chosen::Winograd),
            Way::Winograd => winograd::Convolution::new(kernel).map(Chosen::Winograd),
            Way::Depthwise if of_input => depthwise::Convolution::grad_input(kernel).map(Chosen::Depthwise),
            Way::Depthwise => depthwise::Convolution::new(kernel).map(Chosen::Depthwise),
        };
        chosen.unwrap_or(Chosen::Patches)
    }

    /// Elements of scratch for each thread and of shared memory, `patches` where it goes by patches.
    pub(crate) fn memory(&self, patches: [usize; 2]) -> [usize; 2] {
        match self {
            Chosen::Patches => patches,
            Chosen::Outputs(way) => [way.scratch_len(), way.shared_len()],
            Chosen::Direct(way) => [way.scratch_len(), way.shared_len()],
            Chosen::Winograd(way) => [way.scratch_len(), way.shared_len()],
            Chosen::Depthwise(way) => [way.scratch_len(), way.shared_len()],
        }
    }

    /// Elements of packed operands, `patches` where it goes by patches.
    pub(crate) fn packed(&self, patches: usize) -> usize {
        if let Chosen::Patches = self { patches } else { 0 }
    }

    /// Writes the result of `reads` to `out`, or adds it; false where it goes by patches, and nothing is done.
    pub(crate) fn run<R: Real>(
        &self,
        reads: &[&[R]],
        out: &mut [R],
        add: bool,
        workers: &mut Workers<R>,
    ) -> bool {
        match self {
            Chosen::Patches => return false,
            Chosen::Outputs(way) => way.run(reads[0], reads[1], out, add, workers),
            Chosen::Direct(way) => way.run(reads[0], reads[1], out, add, workers),
            Chosen::Winograd(way) => way.run(reads[0], reads[1], out, add, workers),
            Chosen::Depthwise(way) => way.run(reads[0], reads[1], out, add, workers),
        }
        true
    }
}

/// The way of a gradient by w, with its sizes.
#[derive(Clone, Debug)]
pub(crate) enum ChosenGradWeight {
    Patches,
    Outputs(by_outputs_grad::GradWeight),
    Direct(direct_grad::GradWeight),
    Winograd(winograd::GradWeight),
    Depthwise(depthwise_grad::GradWeight),
}

impl ChosenGradWeight {
    /// `wanted` is taken where it fits.
    pub(crate) fn new(kernel: &ConvKernel, wanted: Option<Way>) -> ChosenGradWeight {
        let chosen = match wanted.unwrap_or_else(|| fastest(kernel, Derivative::Weight)) {
            Way::Patches => None,
            Way::Outputs => by_outputs_grad::GradWeight::new(kernel).map(ChosenGradWeight::Outputs),
            Way::Direct => direct_grad::GradWeight::new(kernel).map(ChosenGradWeight::Direct),
            Way::Winograd => winograd::GradWeight::new(kernel).map(ChosenGradWeight::Winograd),
            Way::Depthwise => depthwise_grad::GradWeight::new(kernel).map(ChosenGradWeight::Depthwise),
        };
        chosen.unwrap_or(ChosenGradWeight::Patches)
    }

    /// As [`Chosen::memory`].
    pub(crate) fn memory(&self, patches: [usize; 2]) -> [usize; 2] {
        match self {
            ChosenGradWeight::Patches => patches,
            ChosenGradWeight::Outputs(way) => [way.scratch_len(), 0],
            ChosenGradWeight::Direct(way) => [0, way.shared_len()],
            ChosenGradWeight::Winograd(way) => [way.scratch_len(), way.shared_len()],
            ChosenGradWeight::Depthwise(way) => [way.scratch_len(), way.shared_len()],
        }
    }

    /// Elements of packed operands, `patches` where it goes by patches.
    pub(crate) fn packed(&self, patches: usize) -> usize {
        if let ChosenGradWeight::Patches = self { patches } else { 0 }
    }

    /// Writes the gradient to `out`; false where it goes by patches, and nothing is done.
    pub(crate) fn run<R: Real>(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) -> bool {
        match self {
            ChosenGradWeight::Patches => return false,
            ChosenGradWeight::Outputs(way) => way.run(reads[0], reads[1], out, workers),
            ChosenGradWeight::Direct(way) => way.run(reads[0], reads[1], out, workers),
            ChosenGradWeight::Winograd(way) => way.run(reads[0], reads[1], out, workers),
            ChosenGradWeight::Depthwise(way) => way.run(reads[0], reads[1], out, workers),
        }
        true
    }
}

/// The way that was fastest on sizes like these.
///
/// By the sizes of one trial alone: a trial's result must not depend on the others, nor on how fast the machine happens
/// to be.
fn fastest(kernel: &ConvKernel, derivative: Derivative) -> Way {
    let spec = &kernel.spec;
    if spec.is_depthwise() {
        return Way::Depthwise;
    }
    let [height, width] = spec.output_size();
    let pixels = spec.batch * height * width;
    let tiles = spec.batch * height.div_ceil(4) * width.div_ceil(4);
    // What the sum that the transforms' error is measured against runs over.
    let summed = match derivative {
        Derivative::Output => spec.channels,
        Derivative::Input => spec.outputs,
        Derivative::Weight => pixels / 4,
    };
    if is_plain(spec) && summed >= 32 && tiles >= 9 && tiles * spec.channels.min(spec.outputs) >= 1024 {
        return Way::Winograd;
    }
    let direct = match derivative {
        // Packing costs more, and so do empty lanes.
        Derivative::Output | Derivative::Input => {
            let whole = spec.outputs.min(spec.channels).is_multiple_of(LANES);
            let few = is_plain(spec) && whole && (spec.channels.max(spec.outputs) > 64 || pixels < 512);
            spec.kernel[0] * spec.kernel[1] >= TAPS
                && !few
                && has_rows(kernel, derivative == Derivative::Input)
        }
        Derivative::Weight => is_plain(spec) && spec.channels.max(spec.outputs) <= 64 && pixels >= 512,
    };
    if direct { Way::Direct } else { Way::Outputs }
}
