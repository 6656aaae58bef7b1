//! Images with their zeros around them, so that no convolution has to look for edges.

use crate::{
    device::cpu::{
        loops::lanes::add_multiple,
        memory::workers::Workers,
        vectors::{Isa, Real, shuffle, vectorized},
    },
    tape::spec::ConvSpec,
};
use fearless_simd::Simd;

/// The same convolution on images that bring their padding along.
pub(crate) fn padded(spec: &ConvSpec) -> ConvSpec {
    let size = [0, 1].map(|d| spec.size[d] + 2 * spec.padding[d]);
    ConvSpec { size, padding: [0; 2], ..*spec }
}

/// Elements of `images` padded images; 0 if the convolution has no padding.
pub(crate) fn padded_len(spec: &ConvSpec, images: usize) -> usize {
    if spec.padding == [0; 2] { 0 } else { images * padded(spec).input_len() / spec.batch.max(1) }
}

/// Copies planes `(n,H,W)` into planes with zeros around them.
pub(crate) fn pad<R: Real>(spec: &ConvSpec, planes: &[R], to: &mut [R], workers: &mut Workers<R>) {
    let (len, to_size) = (spec.size[0] * spec.size[1], padded(spec).size);
    let (isa, work) = (workers.isa(), to.len() / 4);
    workers.for_each(to, to_size[0] * to_size[1], work, |_, index, to| {
        image(isa, &planes[index * len..][..len], spec.size, to, to_size, spec.padding);
    });
}

vectorized! {
    /// Copies planes of `size` into planes of `to_size`, with `[top, left]` zeros before them and zeros after them.
    pub(crate) fn image(
        from: &[R], size: [usize; 2], to: &mut [R], to_size: [usize; 2], before: [usize; 2]
    ) = image_loop;
}

#[inline(always)]
fn image_loop<S: Simd, R: Real>(
    simd: S,
    from: &[R],
    [height, width]: [usize; 2],
    to: &mut [R],
    [to_height, to_width]: [usize; 2],
    [top, left]: [usize; 2],
) {
    to.fill(R::zero());
    for (from, to) in from.chunks_exact(height * width).zip(to.chunks_exact_mut(to_height * to_width)) {
        let rows = to[top * to_width..].chunks_exact_mut(to_width);
        for (from, to) in from.chunks_exact(width).zip(rows) {
            shuffle::copy(simd, from, &mut to[left..][..width]);
        }
    }
}

/// Copies the planes inside the padding into `to (n,H,W)`, or adds them: the adjoint of [`pad`].
pub(crate) fn crop<R: Real>(isa: Isa, spec: &ConvSpec, planes: &[R], to: &mut [R], add: bool) {
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
