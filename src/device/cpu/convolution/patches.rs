//! The patches of a convolution as a matrix that is computed while it is packed.

use std::ops::Range;

use crate::{
    device::cpu::{
        loops::gemm::{Operand, copy_rows},
        vectors::Real,
    },
    tape::spec::ConvSpec,
};

/// `(C/g·kh·kw, images·OH·OW)`: row `(c,ky,kx)` holds, for every image and output position, the input element
/// that the kernel's element `(c,ky,kx)` multiplies.
#[derive(Clone, Copy)]
pub(crate) struct Patches<'a, R> {
    spec: ConvSpec,
    /// `(images, C, H, W)` from the group's first channel on.
    images: &'a [R],
    /// `[OH, OW]`
    outputs: [usize; 2],
}

/// Neighbouring output positions in one row of one image.
struct Run {
    /// Their number before this run in the block.
    at: usize,
    len: usize,
    /// Address of the first element of the first patch.
    from: usize,
}

impl<'a, R: Real> Patches<'a, R> {
    /// `spec` must be without padding, see [`super::pad`].
    pub(crate) fn new(spec: &ConvSpec, images: &'a [R], group: usize) -> Self {
        debug_assert_eq!(spec.padding, [0; 2]);
        let first = group * (spec.channels / spec.groups) * spec.size[0] * spec.size[1];
        Patches { spec: *spec, images: &images[first..], outputs: spec.output_size() }
    }

    fn runs(&self, cols: Range<usize>) -> impl Iterator<Item = Run> + use<R> {
        let ConvSpec { channels, size: [height, width], stride, .. } = self.spec;
        let [oh, ow] = self.outputs;
        let mut next = cols.start;
        std::iter::from_fn(move || {
            if next >= cols.end {
                return None;
            }
            let (line, x) = (next / ow, next % ow);
            let (image, y) = (line / oh, line % oh);
            let len = (ow - x).min(cols.end - next);
            let from = (image * channels * height + y * stride[0]) * width + x * stride[1];
            let run = Run { at: next - cols.start, len, from };
            next += len;
            Some(run)
        })
    }

    /// Rows `c·kh·kw + tap` of the block for one run, element `i` of each from `i·stride` on.
    fn copy_run(
        &self,
        tap: usize,
        channels: Range<usize>,
        from: usize,
        len: usize,
        out: &mut [R],
        step: usize,
    ) {
        let plane = self.spec.size[0] * self.spec.size[1];
        let (ky, kx) = (tap / self.spec.kernel[1], tap % self.spec.kernel[1]);
        let tap = (ky * self.spec.dilation[0]) * self.spec.size[1] + kx * self.spec.dilation[1];
        let images = &self.images[from + tap + channels.start * plane..];
        let stride = self.spec.stride[1];
        // Lengths known to the compiler become a few vector moves.
        match (stride, len) {
            (1, 4) => copy_rows::<R, 4>(channels.len(), images, plane, out, step),
            (1, 8) => copy_rows::<R, 8>(channels.len(), images, plane, out, step),
            (1, 16) => copy_rows::<R, 16>(channels.len(), images, plane, out, step),
            (1, 32) => copy_rows::<R, 32>(channels.len(), images, plane, out, step),
            (1, _) => {
                for i in 0..channels.len() {
                    out[i * step..][..len].copy_from_slice(&images[i * plane..][..len]);
                }
            }
            (2, _) => {
                for i in 0..channels.len() {
                    let (pairs, last) = images[i * plane..][..2 * len - 1].as_chunks::<2>();
                    let (to, to_last) = out[i * step..][..len].split_at_mut(len - 1);
                    to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]);
                    to_last[0] = last[0];
                }
            }
            _ => {
                for i in 0..channels.len() {
                    let from = images[i * plane..].iter().step_by(stride);
                    out[i * step..][..len].iter_mut().zip(from).for_each(|(to, &value)| *to = value);
                }
            }
        }
    }
}

impl<R: Real> Operand<R> for Patches<'_, R> {
    fn copy(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        let taps = self.spec.kernel[0] * self.spec.kernel[1];
        for run in self.runs(cols) {
            for tap in 0..taps.min(rows.end) {
                // Channels c with rows.start ≤ c·taps + tap < rows.end.
                let channels = rows.start.saturating_sub(tap).div_ceil(taps)..(rows.end - tap).div_ceil(taps);
                if !channels.is_empty() {
                    let to = &mut out[(channels.start * taps + tap - rows.start) * ld + run.at..];
                    self.copy_run(tap, channels, run.from, run.len, to, taps * ld);
                }
            }
        }
    }

    fn copy_transposed(&self, rows: Range<usize>, cols: Range<usize>, out: &mut [R], ld: usize) {
        let ConvSpec { size: [height, width], kernel, stride, dilation, .. } = self.spec;
        for run in self.runs(cols) {
            // Elements of a patch that differ in kx alone lie side by side.
            let mut row = rows.start;
            while row < rows.end {
                let (line, kx) = (row / kernel[1], row % kernel[1]);
                let (c, ky) = (line / kernel[0], line % kernel[0]);
                let len = (kernel[1] - kx).min(rows.end - row);
                let from = run.from + (c * height + ky * dilation[0]) * width + kx * dilation[1];
                for i in 0..run.len {
                    let from = &self.images[from + i * stride[1]..][..(len - 1) * dilation[1] + 1];
                    let to = &mut out[(run.at + i) * ld + row - rows.start..][..len];
                    for (j, to) in to.iter_mut().enumerate() {
                        *to = from[j * dilation[1]];
                    }
                }
                row += len;
            }
        }
    }
}
