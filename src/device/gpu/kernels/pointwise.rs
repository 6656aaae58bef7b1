//! Convolutions of large pictures by single taps, as matrix products.

use crate::{
    plan::kernel::{ConvKernel, Kernel, MatmulKernel, MatrixView, Step},
    tape::spec::ConvSpec,
};

/// Smallest picture whose columns fill tiles without those of its neighbours.
const LARGE: usize = 256;

/// The step as a product for each picture: `w (O,C) · x (C,H·W)`, or for the gradient by the input
/// `wᵀ (C,O) · g (O,H·W)`. None where it is no plain batch of products.
pub(crate) fn as_matmul(step: &Step) -> Option<Step> {
    let (kernel, transposed) = match &step.kernel {
        Kernel::Conv2d(kernel) => (kernel, false),
        Kernel::Conv2dGradInput(kernel) => (kernel, true),
        _ => return None,
    };
    let [trial_w, trial_pictures] = moves(kernel)?;
    let ConvSpec { batch, channels, outputs, size: [height, width], .. } = kernel.spec;
    let area = height * width;
    let (m, k, row, col) = match transposed {
        false => (outputs, channels, channels, 1),
        true => (channels, outputs, 1, channels),
    };
    let product = MatmulKernel {
        trials: kernel.trials * batch,
        m,
        n: area,
        k,
        a: MatrixView { offset: 0, trial: trial_w * outputs * channels, row, col },
        b: MatrixView { offset: 0, trial: trial_pictures * k * area, row: area, col: 1 },
    };
    let reads = vec![step.reads[1], step.reads[0]];
    Some(Step { kernel: Kernel::Matmul(product), reads, write: step.write })
}

/// Whether the weights, and whether the pictures, move on from one picture (or trial, where each has one picture)
/// to the next: 1 or 0.
fn moves(kernel: &ConvKernel) -> Option<[usize; 2]> {
    let ConvSpec { batch, size, kernel: taps, stride, padding, groups, .. } = kernel.spec;
    let plain = taps == [1, 1] && stride == [1, 1] && padding == [0, 0] && groups == 1;
    if !plain || size[0] * size[1] < LARGE {
        return None;
    }
    let [pictures_shared, weights_shared] = kernel.shared.map(|shared| shared || kernel.trials == 1);
    match (batch, weights_shared) {
        (1, _) => Some([usize::from(!weights_shared), usize::from(!pictures_shared)]),
        (_, true) if kernel.trials == 1 || !pictures_shared => Some([0, 1]),
        _ => None,
    }
}
