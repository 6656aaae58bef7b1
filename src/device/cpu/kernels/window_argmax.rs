//! Position of the largest element in each window: `x (…,H,W) → (…,OH,OW)`
//!
//! The first of equal elements; a NaN counts as the largest, as in PyTorch.

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared, window},
        loops::window_tiles::{self, Tiles},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::WindowKernel,
    tape::spec::WindowSpec,
};

pub(crate) struct WindowArgmax(pub WindowKernel);

impl<R: Real> Prepared<R> for WindowArgmax {
    fn needs(&self) -> Needs {
        let [input, output] = window::lens(&self.0);
        Needs { reads: vec![input], write: output, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let spec = &self.0.spec;
        let [input, output] = window::lens(&WindowKernel { planes: 1, ..self.0 });
        let isa = window::isa::<R>(spec, workers);
        let work = 2 * out.len() * spec.kernel[0] * spec.kernel[1];
        window::for_planes(out, output, work, workers, |planes, out| {
            let x = &reads[0][planes.start * input..planes.end * input];
            if let Some(tiles) = Tiles::of(spec, planes.len()) {
                for (x, out) in x.chunks(tiles.together * input).zip(out.chunks_mut(tiles.together * output))
                {
                    window_tiles::argmax(isa, &tiles, x, out);
                }
                return;
            }
            for (x, out) in x.chunks(input).zip(out.chunks_mut(output)) {
                plane(spec, x, out);
            }
        });
    }
}

/// One plane with windows of any kind.
fn plane<R: Real>(spec: &WindowSpec, x: &[R], out: &mut [R]) {
    window::for_each_window(spec, |i, window| {
        let (mut best, mut at) = (R::neg_infinity(), None);
        for row in window.rows() {
            for col in window.cols() {
                let value = x[row * spec.size[1] + col];
                if at.is_none() || value > best || (value.is_nan() && !best.is_nan()) {
                    (best, at) = (value, Some((row, col)));
                }
            }
        }
        out[i] = R::of(at.map_or(0, |(row, col)| window.index(row, col)) as f64);
    });
}
