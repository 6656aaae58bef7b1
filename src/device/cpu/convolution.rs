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
        let by_x = derivative == Derivative::Input;
        let direct = match by_x {
            false => direct::Convolution::new(kernel),
            true => direct::Convolution::grad_input(kernel),
        };
        let way = wanted.unwrap_or_else(|| fastest(&kernel.spec, derivative));
        match (way, direct) {
            (Way::Direct, Some(direct)) => Chosen::Direct(direct),
            (Way::Winograd, _) if winograd::fits(&kernel.spec) && by_x => {
                Chosen::Winograd(winograd::Convolution::grad_input(kernel))
            }
            (Way::Winograd, _) if winograd::fits(&kernel.spec) => {
                Chosen::Winograd(winograd::Convolution::new(kernel))
            }
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
        let way = wanted.unwrap_or_else(|| fastest(&kernel.spec, Derivative::Weight));
        match (way, direct::GradWeight::new(kernel)) {
            (Way::Direct, Some(direct)) => ChosenGradWeight::Direct(direct),
            (Way::Winograd, _) if winograd::fits(&kernel.spec) => {
                ChosenGradWeight::Winograd(winograd::GradWeight::new(kernel))
            }
            _ => ChosenGradWeight::Patches,
        }
    }
}

/// The way that was fastest on sizes like these.
///
/// By the sizes of one trial alone: a trial's result must not depend on the others, nor on how fast the machine happens
/// to be.
fn fastest(spec: &ConvSpec, derivative: Derivative) -> Way {
    let [channels, outputs] = match derivative {
        Derivative::Input => [spec.outputs, spec.channels],
        _ => [spec.channels, spec.outputs],
    };
    let pixels = spec.batch * spec.output_size().iter().product::<usize>();
    if channels.min(outputs) >= 32 && pixels >= 256 {
        Way::Winograd
    } else if channels.max(outputs) <= 64 && pixels >= 512 {
        Way::Direct
    } else {
        Way::Patches
    }
}
