//! The adjoint of `window_gather`: `g (…,OH,OW), index (…,OH,OW) → (…,H,W)`

use super::{
    kernel::{Needs, Prepared},
    real::Real,
    window, window_tiles,
    workers::Workers,
};
use crate::plan::kernel::WindowKernel;

pub struct WindowScatter(pub WindowKernel);

impl<R: Real> Prepared<R> for WindowScatter {
    fn needs(&self) -> Needs {
        let [input, output] = window::lens(&self.0);
        Needs { reads: vec![output, output], write: input, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let [input, output] = window::lens(&WindowKernel { planes: 1, ..self.0 });
        let work = out.len() + 4 * self.0.planes * output;
        workers.for_each(out, input, work, |_, plane, out| {
            let g = &reads[0][plane * output..][..output];
            let index = &reads[1][plane * output..][..output];
            if let Some(side) = window_tiles::side(&self.0.spec) {
                return window_tiles::scatter(side, &self.0.spec, g, index, out);
            }
            out.fill(R::zero());
            window::for_each_window(&self.0.spec, |i, window| {
                if let Some(element) = window.element(index[i].into_f64()) {
                    out[element] = out[element] + g[i];
                }
            });
        });
    }
}
