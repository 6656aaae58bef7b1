//! The adjoint of taking patches.

use super::{patches::inside, real::Real};
use crate::tape::spec::ConvSpec;

/// Adds patches into `image (channels,H,W)`: row `(c,ky,kx)` of `columns` (rows `ld` apart) holds, for every output position, what
/// goes to the input element that the kernel's element `(c,ky,kx)` reads there.
pub fn add<R: Real>(spec: &ConvSpec, columns: &[R], ld: usize, image: &mut [R]) {
    let ConvSpec { size: [height, width], kernel, stride, padding, dilation, .. } = *spec;
    let [oh, ow] = spec.output_size();
    let taps = kernel[0] * kernel[1];
    for (c, plane) in image.chunks_mut(height * width).enumerate() {
        for tap in 0..taps {
            let (ky, kx) = (tap / kernel[1], tap % kernel[1]);
            let row = &columns[(c * taps + tap) * ld..][..oh * ow];
            let across = inside(spec, 1, kx, &(0..ow));
            if across.is_empty() {
                continue;
            }
            let x = across.start * stride[1] + kx * dilation[1] - padding[1];
            for oy in inside(spec, 0, ky, &(0..oh)) {
                let y = oy * stride[0] + ky * dilation[0] - padding[0];
                let from = &row[oy * ow..][across.clone()];
                let to = &mut plane[y * width + x..];
                if stride[1] == 1 {
                    to.iter_mut().zip(from).for_each(|(to, &value)| *to = *to + value);
                } else {
                    to.iter_mut().step_by(stride[1]).zip(from).for_each(|(to, &value)| *to = *to + value);
                }
            }
        }
    }
}
