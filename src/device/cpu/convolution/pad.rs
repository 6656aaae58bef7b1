//! Images with their zeros around them, so that no convolution has to look for edges.

use crate::device::cpu::loops::lanes::add_multiple;
use crate::device::cpu::memory::workers::Workers;
use crate::device::cpu::vectors::{Isa, Real};
use crate::tape::spec::ConvSpec;

/// The same convolution on images that bring their padding along.
pub fn padded(spec: &ConvSpec) -> ConvSpec {
    let size = [0, 1].map(|d| spec.size[d] + 2 * spec.padding[d]);
    ConvSpec { size, padding: [0; 2], ..*spec }
}

/// Elements of `images` padded images; 0 if the convolution has no padding.
pub fn padded_len(spec: &ConvSpec, images: usize) -> usize {
    if spec.padding == [0; 2] { 0 } else { images * padded(spec).input_len() / spec.batch.max(1) }
}

/// Copies planes `(n,H,W)` into planes with zeros around them.
pub fn pad<R: Real>(spec: &ConvSpec, planes: &[R], to: &mut [R], workers: &mut Workers<R>) {
    let ([height, width], [_, padded_width]) = (spec.size, padded(spec).size);
    let plane_len = padded(spec).size.iter().product();
    let work = to.len() / 4;
    workers.for_each(to, plane_len, work, |_, index, to| {
        let from = &planes[index * height * width..][..height * width];
        plane(from, width, to, padded_width, spec.padding);
    });
}

/// Copies one image's planes of `[H, W]` into planes of `to_size`, with `[top, left]` zeros before them and zeros after them.
pub fn image<R: Real>(from: &[R], size: [usize; 2], to: &mut [R], to_size: [usize; 2], before: [usize; 2]) {
    for (from, to) in from.chunks(size[0] * size[1]).zip(to.chunks_mut(to_size[0] * to_size[1])) {
        plane(from, size[1], to, to_size[1], before);
    }
}

/// Copies a plane of rows of `width` into one of rows of `to_width`, `[top, left]` zeros before it and zeros after it.
pub fn plane<R: Real>(from: &[R], width: usize, to: &mut [R], to_width: usize, [top, left]: [usize; 2]) {
    let (above, rest) = to.split_at_mut(top * to_width);
    let (rows, below) = rest.split_at_mut(from.len() / width * to_width);
    above.fill(R::zero());
    below.fill(R::zero());
    for (to, from) in rows.chunks_mut(to_width).zip(from.chunks(width)) {
        to[..left].fill(R::zero());
        to[left..][..width].copy_from_slice(from);
        to[left + width..].fill(R::zero());
    }
}

/// Copies the planes inside the padding into `to (n,H,W)`, or adds them: the adjoint of [`pad`].
pub fn crop<R: Real>(isa: Isa, spec: &ConvSpec, planes: &[R], to: &mut [R], add: bool) {
    let ([height, width], size) = (spec.size, padded(spec).size);
    let planes = planes.chunks(size[0] * size[1]);
    for (to, from) in to.chunks_mut(height * width).zip(planes) {
        let rows = from.chunks(size[1]).skip(spec.padding[0]);
        for (to, from) in to.chunks_mut(width).zip(rows) {
            let from = &from[spec.padding[1]..][..width];
            if add {
                add_multiple(isa, R::one(), from, to);
            } else {
                to.copy_from_slice(from);
            }
        }
    }
}
