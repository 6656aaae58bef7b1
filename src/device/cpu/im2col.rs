//! A convolution as a matrix product: the matrix of patches, and its adjoint.

use std::ops::Range;

use super::real::Real;
use crate::tape::spec::ConvSpec;

/// Calls `row(r, y, x_of)` …
///
/// The columns of one image and one group are `(C/g·kh·kw, OH·OW)`: row `(c,ky,kx)` holds, for every output
/// position, the input element that the kernel's element `(c,ky,kx)` multiplies.
fn for_each_run(spec: &ConvSpec, mut run: impl FnMut(Run)) {
    let [height, width] = spec.size;
    let [oh, ow] = spec.output_size();
    let channels = spec.channels / spec.groups;
    let mut column = 0;
    for c in 0..channels {
        for ky in 0..spec.kernel[0] {
            let rows = inside(spec, 0, ky);
            for kx in 0..spec.kernel[1] {
                let cols = inside(spec, 1, kx);
                for oy in 0..oh {
                    let valid = if rows.contains(&oy) { cols.clone() } else { 0..0 };
                    let from = if valid.is_empty() {
                        0
                    } else {
                        let y = oy * spec.stride[0] + ky * spec.dilation[0] - spec.padding[0];
                        let x = valid.start * spec.stride[1] + kx * spec.dilation[1] - spec.padding[1];
                        (c * height + y) * width + x
                    };
                    run(Run { column, from, valid });
                    column += ow;
                }
            }
        }
    }
}

/// One output row of one row of columns.
struct Run {
    /// Where its `OW` elements start in the columns.
    column: usize,
    /// Where its first valid element starts in the image; the next is `stride[1]` further.
    from: usize,
    /// The output positions that lie in the image.
    valid: Range<usize>,
}

/// Output positions along `axis` at which kernel element `k` lies in the input.
fn inside(spec: &ConvSpec, axis: usize, k: usize) -> Range<usize> {
    let reach = k * spec.dilation[axis];
    let (padding, stride) = (spec.padding[axis], spec.stride[axis]);
    let outputs = spec.output_size()[axis];
    let from = padding.saturating_sub(reach).div_ceil(stride);
    let to = (spec.size[axis] + padding).saturating_sub(reach).div_ceil(stride).min(outputs);
    from.min(to)..to
}

/// Elements of the columns of one image and one group.
pub fn columns_len(spec: &ConvSpec) -> usize {
    let [oh, ow] = spec.output_size();
    spec.patch_len() * oh * ow
}

/// Columns of `image (C/g,H,W)`.
pub fn gather<R: Real>(spec: &ConvSpec, image: &[R], columns: &mut [R]) {
    let ow = spec.output_size()[1];
    let stride = spec.stride[1];
    for_each_run(spec, |Run { column, from, valid }| {
        let to = &mut columns[column..][..ow];
        to[..valid.start].fill(R::zero());
        to[valid.end..].fill(R::zero());
        let to = &mut to[valid];
        if stride == 1 {
            to.copy_from_slice(&image[from..][..to.len()]);
        } else {
            for (to, &x) in to.iter_mut().zip(image[from..].iter().step_by(stride)) {
                *to = x;
            }
        }
    });
}

/// The adjoint of [`gather`]: adds the columns into `image (C/g,H,W)`.
pub fn scatter<R: Real>(spec: &ConvSpec, columns: &[R], image: &mut [R]) {
    let stride = spec.stride[1];
    for_each_run(spec, |Run { column, from, valid }| {
        let columns = &columns[column..][valid];
        if stride == 1 {
            for (x, &value) in image[from..].iter_mut().zip(columns) {
                *x = *x + value;
            }
        } else {
            for (x, &value) in image[from..].iter_mut().step_by(stride).zip(columns) {
                *x = *x + value;
            }
        }
    });
}
