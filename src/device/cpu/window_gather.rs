//! The indexed element of each window: `x (…,H,W), index (…,OH,OW) → (…,OH,OW)`

use super::{
    kernel::{Needs, Prepared},
    real::Real,
    window, window_tiles,
    workers::Workers,
};
use crate::plan::kernel::WindowKernel;

pub struct WindowGather(pub WindowKernel);

impl<R: Real> Prepared<R> for WindowGather {
    fn needs(&self) -> Needs {
        let [input, output] = window::lens(&self.0);
        Needs { reads: vec![input, output], write: output, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let [input, output] = window::lens(&WindowKernel { planes: 1, ..self.0 });
        let work = 4 * out.len();
        workers.for_each(out, output, work, |_, plane, out| {
            let x = &reads[0][plane * input..][..input];
            let index = &reads[1][plane * output..][..output];
            if let Some(side) = window_tiles::side(&self.0.spec) {
                return window_tiles::gather(side, &self.0.spec, x, index, out);
            }
            window::for_each_window(&self.0.spec, |i, window| {
                out[i] = window.element(index[i].into_f64()).map_or(R::zero(), |element| x[element]);
            });
        });
    }
}
