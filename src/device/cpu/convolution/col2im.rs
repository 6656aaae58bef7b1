//! The adjoint of taking patches.

use crate::{device::cpu::vectors::Real, tape::spec::ConvSpec};

/// Adds patches into `image (channels,H,W)`, of a convolution without padding: row `(c,ky,kx)` of `columns` (rows
/// `ld` apart) holds, for every output position, what goes to the input element that the kernel's element
/// `(c,ky,kx)` reads there.
pub(crate) fn add<R: Real>(spec: &ConvSpec, columns: &[R], ld: usize, image: &mut [R]) {
    let ConvSpec { size: [height, width], kernel, stride, dilation, .. } = *spec;
    let [oh, ow] = spec.output_size();
    let taps = kernel[0] * kernel[1];
    for (c, plane) in image.chunks_mut(height * width).enumerate() {
        for tap in 0..taps {
            let (ky, kx) = (tap / kernel[1], tap % kernel[1]);
            let rows = &columns[(c * taps + tap) * ld..][..oh * ow];
            let plane = &mut plane[ky * dilation[0] * width + kx * dilation[1]..];
            let step = stride[0] * width;
            match (stride[1], ow) {
                (1, 4) => add_rows::<R, 4>(rows, plane, step),
                (1, 8) => add_rows::<R, 8>(rows, plane, step),
                (1, 16) => add_rows::<R, 16>(rows, plane, step),
                (1, 32) => add_rows::<R, 32>(rows, plane, step),
                (stride, _) => {
                    for (oy, row) in rows.chunks(ow).enumerate() {
                        let to = &mut plane[oy * step..][..(ow - 1) * stride + 1];
                        for (ox, &value) in row.iter().enumerate() {
                            to[ox * stride] += value;
                        }
                    }
                }
            }
        }
    }
}

/// Adds rows of N elements, which the compiler turns into vector additions.
fn add_rows<R: Real, const N: usize>(rows: &[R], plane: &mut [R], step: usize) {
    for (oy, row) in rows.as_chunks::<N>().0.iter().enumerate() {
        let to: &mut [R; N] = plane[oy * step..].first_chunk_mut().expect("a row lies in its image");
        for (to, &value) in to.iter_mut().zip(row) {
            *to += value;
        }
    }
}
