//! The patches of a convolution as a matrix that is computed while it is packed.

use std::ops::Range;

use super::{gemm::Operand, real::Real};
use crate::tape::spec::ConvSpec;

/// `(C/g·kh·kw, images·OH·OW)`: row `(c,ky,kx)` holds, for every image and output position, the input element
/// that the kernel's element `(c,ky,kx)` multiplies.
#[derive(Clone, Copy)]
pub struct Patches<'a, R> {
    spec: ConvSpec,
    /// `(images, C, H, W)` from the group's first channel on.
    images: &'a [R],
    /// `[OH, OW]`
    outputs: [usize; 2],
}

/// Neighbouring output positions of one row of one image.
struct Run {
    /// Their number before this run in the block.
    at: usize,
    image: usize,
    y: usize,
    x: Range<usize>,
}

impl<'a, R: Real> Patches<'a, R> {
    pub fn new(spec: &ConvSpec, images: &'a [R], group: usize) -> Self {
        let first = group * (spec.channels / spec.groups) * spec.size[0] * spec.size[1];
        Patches { spec: *spec, images: &images[first..], outputs: spec.output_size() }
    }

    /// Cuts every row of the block into runs of output positions that lie side by side.
    fn for_each_piece(&self, rows: Range<usize>, cols: Range<usize>, mut piece: impl FnMut(Piece<R>)) {
        let ConvSpec { channels, size: [height, width], kernel, stride, padding, dilation, .. } = self.spec;
        let taps = kernel[0] * kernel[1];
        for run in self.runs(cols) {
            let image = run.image * channels * height * width;
            for tap in 0..taps.min(rows.end) {
                // Channels c with rows.start ≤ c·taps + tap < rows.end.
                let channels = rows.start.saturating_sub(tap).div_ceil(taps)..(rows.end - tap).div_ceil(taps);
                if channels.is_empty() {
                    continue;
                }
                let (ky, kx) = (tap / kernel[1], tap % kernel[1]);
                let y = (run.y * stride[0] + ky * dilation[0]).wrapping_sub(padding[0]);
                let valid =
                    if y < height { inside(&self.spec, 1, kx, &run.x) } else { run.x.start..run.x.start };
                let x = (valid.start * stride[1] + kx * dilation[1]).wrapping_sub(padding[1]);
                for c in channels {
                    let values = if valid.is_empty() {
                        &[]
                    } else {
                        let span = (valid.len() - 1) * stride[1] + 1;
                        &self.images[image + (c * height + y) * width + x..][..span]
                    };
                    piece(Piece {
                        row: c * taps + tap - rows.start,
                        col: run.at,
                        before: valid.start - run.x.start,
                        values,
                        after: run.x.end - valid.end,
                    });
                }
            }
        }
    }

    fn runs(&self, cols: Range<usize>) -> impl Iterator<Item = Run> + use<R> {
        let [oh, ow] = self.outputs;
        let mut next = cols.start;
        std::iter::from_fn(move || {
            if next >= cols.end {
                return None;
            }
            let (line, x) = (next / ow, next % ow);
            let len = (ow - x).min(cols.end - next);
            let run = Run { at: next - cols.start, image: line / oh, y: line % oh, x: x..x + len };
            next += len;
            Some(run)
        })
    }
}

/// One run of one row of patches.
struct Piece<'a, R> {
    row: usize,
    col: usize,
    /// Zeros before the first value.
    before: usize,
    /// Every `stride[1]`-th of them.
    values: &'a [R],
    /// Zeros after the last value.
    after: usize,
}

/// The output positions among `positions` at which kernel element `k` lies in the input along `axis`.
pub fn inside(spec: &ConvSpec, axis: usize, k: usize, positions: &Range<usize>) -> Range<usize> {
    let (padding, stride, reach) = (spec.padding[axis], spec.stride[axis], k * spec.dilation[axis]);
    let from = padding.saturating_sub(reach).div_ceil(stride);
    let to = (spec.size[axis] + padding).saturating_sub(reach).div_ceil(stride);
    let from = from.clamp(positions.start, positions.end);
    from..to.clamp(from, positions.end)
}

impl<R: Real> Operand<R> for Patches<'_, R> {
    fn copy(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        let stride = self.spec.stride[1];
        self.for_each_piece(rows, cols, |Piece { row, col, before, values, after }| {
            let count = values.len().div_ceil(stride);
            let out = &mut out[row * ld + col..][..before + count + after];
            out[..before].fill(R::zero());
            out[before + count..].fill(R::zero());
            let out = &mut out[before..before + count];
            if stride == 1 {
                out.copy_from_slice(values);
            } else {
                out.iter_mut().zip(values.iter().step_by(stride)).for_each(|(to, &value)| *to = value);
            }
        });
    }

    fn copy_transposed(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        let stride = self.spec.stride[1];
        self.for_each_piece(rows, cols, |Piece { row, col, before, values, after }| {
            let mut to = out[col * ld + row..].iter_mut().step_by(ld);
            to.by_ref().take(before).for_each(|to| *to = R::zero());
            values.iter().step_by(stride).zip(to.by_ref()).for_each(|(&value, to)| *to = value);
            to.take(after).for_each(|to| *to = R::zero());
        });
    }
}
