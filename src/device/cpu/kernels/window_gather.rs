//! The indexed element of each window: `x (…,H,W), index (…,OH,OW) → (…,OH,OW)`

use crate::{
    device::cpu::{
        kernels::{Needs, Prepared, window},
        loops::window_tiles::{self, Tiles},
        memory::workers::Workers,
        vectors::Real,
    },
    plan::kernel::WindowKernel,
};

pub(crate) struct WindowGather(pub WindowKernel);

impl<R: Real> Prepared<R> for WindowGather {
    fn needs(&self) -> Needs {
        let [input, output] = window::lens(&self.0);
        Needs { reads: vec![input, output], write: output, ..Needs::default() }
    }

    fn run(&self, reads: &[&[R]], out: &mut [R], workers: &mut Workers<R>) {
        let [input, output] = window::lens(&WindowKernel { planes: 1, ..self.0 });
        let work = 4 * out.len();
        let spec = &self.0.spec;
        let isa = window::isa::<R>(spec, workers);
        window::for_planes(out, output, work, workers, |planes, out| {
            let x = &reads[0][planes.start * input..planes.end * input];
            let index = &reads[1][planes.start * output..planes.end * output];
            if let Some(tiles) = Tiles::of(spec, planes.len()) {
                let [input, output] = [input, output].map(|len| len * tiles.together);
                let planes = x.chunks(input).zip(index.chunks(output)).zip(out.chunks_mut(output));
                return planes.for_each(|((x, index), out)| window_tiles::gather(isa, &tiles, x, index, out));
            }
            for ((x, index), out) in x.chunks(input).zip(index.chunks(output)).zip(out.chunks_mut(output)) {
                window::for_each_window(spec, |i, window| {
                    out[i] = window.element(index[i].into_f64()).map_or(R::zero(), |element| x[element]);
                });
            }
        });
    }
}
