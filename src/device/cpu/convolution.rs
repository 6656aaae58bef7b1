//! Which way a convolution goes.

use super::{direct, winograd};
use crate::{plan::kernel::ConvKernel, tape::spec::ConvSpec};

/// How a convolution, or one of its gradients, is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A matrix product with the patches of x. Fits every convolution.
    Patches,
    /// Runs of pixels in registers. Fits 3×3 kernels of stride 1 over rows of whole vectors, outputs in fours.
    Direct,
    /// Winograd's F(4×4, 3×3). Fits 3×3 kernels of stride 1, one group, padding up to 2.
    Winograd,
}

/// The three derivatives of ⟨conv(x, w), g⟩.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivative {
    Output,
    Input,
    Weight,
}

/// A convolution's way, with its sizes.
#[derive(Clone, Copy, Debug)]
pub enum Chosen {
    Patches,
    Direct(direct::Convolution),
    Winograd(winograd::Convolution),
}

impl Chosen {
    /// For the output or the gradient by x. `wanted` is taken where it fits.
    pub fn new(kernel: &ConvKernel, derivative: Derivative, wanted: Option<Way>) -> Chosen {
        let (direct, winograd) = match derivative {
            Derivative::Input => {
                (direct::Convolution::grad_input(kernel), winograd::Convolution::grad_input(kernel))
            }
            _ => (direct::Convolution::new(kernel), winograd::Convolution::new(kernel)),
        };
        match (wanted.unwrap_or_else(|| fastest(&kernel.spec, derivative)), direct, winograd) {
            (Way::Direct, Some(direct), _) => Chosen::Direct(direct),
            (Way::Winograd, _, Some(winograd)) => Chosen::Winograd(winograd),
            _ => Chosen::Patches,
        }
    }
}

/// The way of a gradient by w, with its sizes.
#[derive(Clone, Copy, Debug)]
pub enum ChosenGradWeight {
    Patches,
    Direct(direct::GradWeight),
    Winograd(winograd::GradWeight),
}

impl ChosenGradWeight {
    /// `wanted` is taken where it fits.
    pub fn new(kernel: &ConvKernel, wanted: Option<Way>) -> ChosenGradWeight {
        let (direct, winograd) = (direct::GradWeight::new(kernel), winograd::GradWeight::new(kernel));
        match (wanted.unwrap_or_else(|| fastest(&kernel.spec, Derivative::Weight)), direct, winograd) {
            (Way::Direct, Some(direct), _) => ChosenGradWeight::Direct(direct),
            (Way::Winograd, _, Some(winograd)) => ChosenGradWeight::Winograd(winograd),
            _ => ChosenGradWeight::Patches,
        }
    }
}

/// The way that was fastest on sizes like these.
///
/// By the sizes of one trial alone: a trial's result must not depend on the others, nor on how fast the machine happens
/// to be.
fn fastest(spec: &ConvSpec, derivative: Derivative) -> Way {
    let [height, width] = spec.output_size();
    let pixels = spec.batch * height * width;
    let tiles = spec.batch * height.div_ceil(4) * width.div_ceil(4);
    // What the sum that the transforms' error is measured against runs over.
    let summed = match derivative {
        Derivative::Output => spec.channels,
        Derivative::Input => spec.outputs,
        Derivative::Weight => pixels / 4,
    };
    if summed >= 32 && tiles >= 9 && tiles * spec.channels.min(spec.outputs) >= 1024 {
        Way::Winograd
    } else if spec.channels.max(spec.outputs) <= 64 && pixels >= 512 {
        Way::Direct
    } else {
        Way::Patches
    }
}
